'use strict'

/** The value that this share of them does not pass, as limit.c has it; NaN of nothing. */
module.exports = function percentile(values, share) {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.round(share * (sorted.length - 1))]
}
