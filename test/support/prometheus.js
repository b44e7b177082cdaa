'use strict'

// Reads the text format of Prometheus, and is strict about it:
// https://prometheus.io/docs/instrumenting/exposition_formats

const { spawnSync } = require('node:child_process')

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const unescaped = { '\\\\': '\\', '\\"': '"', '\\n': '\n' }

function readLabels (text) {
  const labels = {}
  let rest = text
  while (rest !== '') {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,(?=.)|$)/s.exec(rest)
    if (!found) throw new Error(`No labels: ${JSON.stringify(rest)}`)
    const [all, name, value] = found
    if (name in labels) throw new Error(`Twice: label ${name}`)
    labels[name] = value.replace(/\\[\\"n]/g, escape => unescaped[escape])
    rest = rest.slice(all.length)
  }
  return labels
}

/**
 * Families by name, in their order: { help, type, samples: [{ labels, value }] }. Throws at
 * whatever is not as the format wants it, or as its writers are asked to do it: help and type
 * before the samples of a family, which stand together, and no series twice.
 */
function parse (text) {
  if (text !== '' && !text.endsWith('\n')) throw new Error('The last line has no end')
  const families = new Map()
  const series = new Set()
  let current
  for (const line of text.split('\n').slice(0, -1)) {
    const [, kind, name, words] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line) ?? []
    if (kind === 'HELP') {
      if (families.has(name)) throw new Error(`Twice: ${line}`)
      current = { help: words, samples: [] }
      families.set(name, current)
    } else if (kind === 'TYPE') {
      if (families.get(name) !== current || current.type) throw new Error(`Out of place: ${line}`)
      if (!['counter', 'gauge'].includes(words)) throw new Error(`No type: ${line}`)
      current.type = words
    } else {
      const [, family, , labels = '', value] = new RegExp(`^(${NAME})(\\{(.*)\\})? (-?[0-9]+(?:\\.[0-9]+)?)$`, 's').exec(line) ?? []
      if (family === undefined) throw new Error(`No line of it: ${JSON.stringify(line)}`)
      if (families.get(family) !== current || !current.type) throw new Error(`Out of place: ${line}`)
      const name = line.slice(0, line.lastIndexOf(' '))
      if (series.has(name)) throw new Error(`Twice: ${name}`)
      series.add(name)
      current.samples.push({ labels: readLabels(labels), value: Number(value) })
    }
  }
  return families
}

/** The value of a series that is named by its labels; undefined if there is none. */
function valueOf (families, name, labels = {}) {
  const same = sample => Object.keys(labels).every(label => sample.labels[label] === labels[label])
  const found = families.get(name)?.samples.filter(same) ?? []
  if (found.length > 1) throw new Error(`${found.length} series of ${name} have ${JSON.stringify(labels)}`)
  return found[0]?.value
}

/* It is named by the environment, or is on the PATH, if it is there at all. */
const promtool = process.env.PROMTOOL ?? 'promtool'

function runPromtool (args, input) {
  const { PATH } = process.env
  return spawnSync(promtool, args, { input, encoding: 'utf8', env: { PATH } })
}

/** Whether promtool can be run; one that the environment names has to be there. */
function hasPromtool () {
  return process.env.PROMTOOL !== undefined || runPromtool(['--version']).error === undefined
}

/** What `promtool check metrics` says: { status, stdout, stderr }; status 0 and nothing else if it finds no fault. */
function checkMetrics (text) {
  const { status, stdout, stderr, error } = runPromtool(['check', 'metrics'], text)
  if (error) throw error
  return { status, stdout, stderr }
}

module.exports = { parse, valueOf, hasPromtool, checkMetrics }
