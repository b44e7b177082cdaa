'use strict'

/* node bench/run.js [question …] */

const fs = require('node:fs')
const path = require('node:path')
const { peers, OURS, NODE, CLONE } = require('./lib/contenders')
const goals = require('./lib/goals')
const machine = require('./lib/machine')
const profile = require('./lib/profile')
const { compile, output } = require('./lib/programs')
const { interleave, keyOf } = require('./lib/rounds')
const { table, figure } = require('./lib/table')

const questions = [
  'spawn-block', 'spawn-exit', 'scale', 'restart', 'leak', 'keeper', 'stop', 'orphans',
  'capture', 'listeners', 'flood', 'messages', 'logs', 'metrics', 'python'
]
const DESCRIPTORS_PER_CHILD = 5 // three pipes, a pidfd, the keeper's socket

const print = (...lines) => console.log(lines.join('\n'))

/* On one line that is overwritten, and only for somebody who looks on. */
function tell(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function showMachine({ cpu, memory, system, hugePages, compiler, versions }) {
  print(
    `Machine: ${cpu}, ${memory}, ${system}, transparent huge pages: ${hugePages}`,
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}; ${compiler}`,
    `Rounds: ${profile.rounds}, interleaved, one process a trial; medians`
  )
  if (profile.isQuick) print('QUICK: shows that the programs work; the figures mean nothing')
}

const showLoad = (when, { average, processes }) =>
  print(`Load ${when}: ${average.join(' ')}, ${processes} processes`)

function showFigures({ title, lines, trials, limit = CLONE }, look) {
  const contenders = [...new Set(trials.map(({ name }) => name))]
  const hasPeer = contenders.includes(NODE)
  const hasLimit = contenders.includes(limit)
  const head = [title, ...contenders, ...(hasPeer ? [`/ ${NODE}`] : [])]
  if (hasLimit) head.push(`/ ${limit}`)
  const rows = lines.map(({ text, at, metric }) => {
    const value = (name) => look(name, at, metric)
    const ratio = (name) => (value(name) ? figure(value(OURS) / value(name)) : '')
    const ratios = [...(hasPeer ? [ratio(NODE)] : []), ...(hasLimit ? [ratio(limit)] : [])]
    return [text, ...contenders.map((name) => figure(value(name))), ...ratios]
  })
  print('', table(head, rows))
}

function showGoals(checks) {
  const rows = checks.map(({ name, ours, against, ratio, goal, verdict }) =>
    [name, figure(ours), figure(against), figure(ratio), goal, verdict])
  print('', table(['goal', 'ours', 'against', 'ratio', 'wanted', 'verdict'], rows))
}

function answer(name) {
  const question = require(`./${name}`)
  const rounds = Math.min(question.rounds ?? profile.rounds, profile.rounds)
  const results = interleave(question.trials, { rounds, summarise: question.summarise, tell })
  tell('')
  const look = (contender, at, metric) => results[keyOf({ name: contender, at })]?.[metric]?.value
  const checks = goals.check(name, look)
  showFigures(question, look)
  if (question.show) print('', question.show(results))
  showGoals(checks)
  return { results, goals: checks }
}

function main(wanted) {
  const unknown = wanted.find((name) => !questions.includes(name))
  if (unknown !== undefined) throw new Error(`${unknown} is none of ${questions.join(', ')}`)
  const chosen = wanted.length > 0 ? wanted : questions
  machine.demand({
    openFiles: DESCRIPTORS_PER_CHILD * (profile.children.most + profile.probes) + 200,
    memory: profile.memory.large + 1024
  })
  const report = { machine: machine.describe(peers), quick: profile.isQuick, rounds: profile.rounds, questions: {} }
  compile()
  showMachine(report.machine)
  report.loadBefore = machine.load()
  showLoad('before', report.loadBefore)
  for (const name of chosen) report.questions[name] = answer(name)
  report.loadAfter = machine.load()
  print('')
  showLoad('after', report.loadAfter)
  fs.writeFileSync(path.join(output, 'results.json'), `${JSON.stringify(report, null, 2)}\n`)
  return Object.values(report.questions).flatMap((question) => question.goals)
}

try {
  const missed = main(process.argv.slice(2)).filter(({ verdict }) => verdict === 'MISSED')
  if (missed.length > 0) print(`${missed.length} missed: ${missed.map(({ name }) => name).join('; ')}`)
  if (missed.length > 0 && !profile.isQuick) process.exitCode = 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}
