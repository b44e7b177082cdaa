'use strict'

/* What is told of a child, beside what the kernel says of it. */

const fs = require('node:fs')
const os = require('node:os')
const { makeManager, once, startReady, wrote } = require('../support/manager')
const { fixture } = require('../support/children')

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

const WINDOW = 10000 // ms

/** Answers of a child that tells to each line of stdin what it has used, in ms of CPU, by getrusage. */
function asker (manager, id) {
  const waiting = []
  manager.on('stdout', ({ processId, data }) => {
    if (processId === id) waiting.shift()?.({ used: Number(data), at: performance.now() })
  })
  return () => {
    const answer = new Promise(resolve => waiting.push(resolve))
    manager.writeStdin(id, '\n')
    return answer
  }
}

test('the cpu of children that burn shares of a core for ten seconds', async () => {
  const manager = makeManager({ monitorInterval: 0 })
  const shares = [[25, 1], [50, 1], [100, 1], [90, 2]]
  const children = []
  for (const args of shares) {
    const id = await startReady(manager, { command: fixture('burn-share'), args: args.map(String) })
    children.push({ id, ask: asker(manager, id), share: args.join(' % x ') })
  }
  await wait(1050) // from then on a status takes a sample, and ends the window before
  for (const child of children) manager.getProcessStatus(child.id)
  for (const child of children) child.before = await child.ask()
  await wait(WINDOW)
  for (const child of children) child.told = manager.getProcessStatus(child.id).cpu
  for (const child of children) child.after = await child.ask()
  for (const { share, before, after, told } of children) {
    const really = (after.used - before.used) / (after.at - before.at) * 100
    expect({ share, told, isAbout: Math.abs(told - really) <= 3 ? really : 'no' }).toEqual({ share, told, isAbout: really })
    expect(really).toBeGreaterThan(5)
  }
}, 40000)

/** The pids of a tree, the root's first. */
function treeOf (pid) {
  const children = fs.readdirSync(`/proc/${pid}/task`).flatMap(task =>
    fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean))
  return [pid, ...children.flatMap(child => treeOf(Number(child)))]
}

/** MB that are resident, as the kernel counts them page by page. */
function residentOf (pids) {
  const kib = pids.map(pid => Number(/^Rss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]))
  return kib.reduce((sum, one) => sum + one, 0) / 1024
}

/* Before, what each processor holds back of a process is not added up (docs/metrics.md). */
const [major, minor] = os.release().split('.').map(Number)
const isExact = major > 6 || (major === 6 && minor >= 16)

const touch = fixture('touch-memory')
/** Of each the config, how many threads and processes it has. */
const kinds = {
  'one thread': mib => [{ command: touch, args: [`${mib}`] }, 1, 1],
  'four threads': mib => [{ command: touch, args: [`${mib}`, '4'] }, 4, 1],
  'three processes': mib => [{ command: 'sh', args: ['-c', `${touch} ${Math.ceil(mib / 2)} & ${touch} ${Math.ceil(mib / 2)} 2 & wait; exit 0`] }, 4, 3]
}

describe.each(Object.keys(kinds))('the memory that %s touched', kind => {
  test.each([1, 10, 100, 1000])('%i MB', async mib => {
    const manager = makeManager({ monitorInterval: 50 })
    const [config, threads, processes] = kinds[kind](mib)
    const id = manager.spawnProcess(config)
    await wrote(manager, id, 'ready\n'.repeat(Math.max(1, processes - 1)))
    const { processes: { [id]: told } } = await once(manager, 'metrics', ({ processes: { [id]: found } }) => found?.processes === processes && found.memory > mib)
    const pids = treeOf(told.pid)
    const kernel = residentOf(pids)
    expect(told).toMatchObject({ threads, processes })
    expect(pids).toHaveLength(processes)
    expect(kernel).toBeGreaterThan(mib)
    expect(Math.abs(told.memory - kernel)).toBeLessThanOrEqual(Math.max(0.5 * (isExact ? 1 : processes), 0.02 * kernel))
  })
})
