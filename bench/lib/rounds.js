'use strict'

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const median = require('./median')
const { program } = require('./programs')

const trials = path.join(__dirname, '..', 'trials')
const pythonTrial = path.join(__dirname, '..', 'python', 'trial.py')
const LONGEST = 180000 // ms of a trial; it hangs if it takes more

/** What to run for a trial: our own side of C, Python, or Node with a driver. */
function commandOf({ c, python, trial, driver, setting }) {
  if (c) return [program(c[0]), c.slice(1).map(String)]
  if (python) return [process.env.PYTHON ?? 'python3', [pythonTrial, python, JSON.stringify(setting)]]
  return [process.execPath, ['--expose-gc', path.join(trials, `${trial}.js`), driver, JSON.stringify(setting)]]
}

function runTrial(trial) {
  const [file, args] = commandOf(trial)
  const result = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: LONGEST })
  const what = `${path.basename(file)} ${args.join(' ')}`
  if (result.error) throw new Error(`${what}: ${result.error.message}`, { cause: result.error })
  if (result.status !== 0) throw new Error(`${what} failed with ${result.signal ?? result.status}`)
  /* Node ends with 0 when its loop runs dry, though the trial still waits for something. */
  if (result.stdout === '') throw new Error(`${what} ended before it had measured anything`)
  return JSON.parse(result.stdout)
}

/**
 * Runs every trial once a round, each in a fresh process, each round beginning
 * with another one, so that what changes on the machine meanwhile meets all.
 *
 * @param {object[]} list trials: name, at, and what commandOf reads
 * @param {(values: number[]) => number} [summarise] the rounds of a metric
 * @returns {{ [trial: string]: { [metric: string]: { value: number, rounds: number[] } } }} by "name, at"
 */
function interleave(list, { rounds, summarise = median, tell }) {
  const results = Object.fromEntries(list.map((trial) => [keyOf(trial), {}]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < list.length; i++) {
      const trial = list[(i + round) % list.length]
      tell(`round ${round + 1} of ${rounds}: ${keyOf(trial)}`)
      const metrics = results[keyOf(trial)]
      for (const [metric, value] of Object.entries(runTrial(trial))) {
        metrics[metric] ??= { rounds: [] }
        metrics[metric].rounds.push(value)
      }
    }
  }
  for (const metrics of Object.values(results)) {
    for (const metric of Object.values(metrics)) metric.value = summarise(metric.rounds)
  }
  return results
}

const keyOf = ({ name, at }) => `${name}, ${at}`

module.exports = { interleave, keyOf }
