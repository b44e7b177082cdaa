'use strict'

/* How deep a child's message is nested. JSON.stringify, and what reads JSON in other
 * languages, go as deep as their stack: the child must not decide whether they end there. */

function isDeeper(value, levels) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  if (levels === 0) return true
  return Object.values(value).some((item) => isDeeper(item, levels - 1))
}

/** The text that JSON.stringify gives for what JSON.parse has made, of any depth. */
function textOf(value) {
  const parts = []
  const todo = [{ value }]
  while (todo.length > 0) {
    const next = todo.pop()
    if (typeof next === 'string') {
      parts.push(next)
    } else if (typeof next.value !== 'object' || next.value === null) {
      parts.push(JSON.stringify(next.value))
    } else {
      const isArray = Array.isArray(next.value)
      const inside = Object.entries(next.value).flatMap(([key, item], i) => {
        const before = (i > 0 ? ',' : '') + (isArray ? '' : `${JSON.stringify(key)}:`)
        return [before, { value: item }]
      })
      for (const part of [isArray ? '[' : '{', ...inside, isArray ? ']' : '}'].reverse()) todo.push(part)
    }
  }
  return parts.join('')
}

module.exports = { isDeeper, textOf }
