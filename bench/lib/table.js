'use strict'

const isNumber = (cell) => /^[-\d.,<>]/.test(cell)

/** Three digits that mean something, and no more. */
function figure(value) {
  if (value === undefined) return ''
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value))
  if (size >= 10) return value.toFixed(1)
  return size >= 0.1 ? value.toFixed(2) : value.toPrecision(2)
}

/** A Markdown table whose columns line up. */
function table(head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, 3, ...rows.map((row) => row[i].length)))
  const line = (cells) =>
    `| ${cells.map((cell, i) => (isNumber(cell) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}

module.exports = { table, figure }
