'use strict'

// The kernel's out-of-memory killer takes the host, or a keeper.

const fs = require('node:fs')
const { fixture, look, isAlive } = require('../support/children')
const { runHost } = require('../support/host')
const { makeManager, startReady, record, once, portable } = require('../support/manager')
const { MemoryCgroup, whyNoMemoryCgroup } = require('../support/memory-cgroup')

const LIMIT = 256 << 20
const why = portable ? 'uv_spawn has no keepers' : whyNoMemoryCgroup()
const withCgroup = why ? test.skip : test
const note = why ? ` (left out: ${why})` : ''

/** Its trees stand, then it fills memory until somebody ends it. The cgroup gets it alone, or them too. */
const hostThatFills = async ({ ProcessManager, fixture, print, ready }, containment, procs, trees) => {
  const fs = require('node:fs')
  if (trees === 'in it') fs.writeFileSync(procs, '0')
  const manager = new ProcessManager({ containment })
  const ids = [['say-ready'], ['ignore-term'], ['note-signals', '5']].map(([name, ...args]) => {
    return manager.spawnProcess({ command: fixture(name), args })
  })
  await Promise.all(ids.map(id => ready(manager, id)))
  print('ready')
  if (trees !== 'in it') fs.writeFileSync(procs, '0')
  const kept = []
  for (let i = 0; i < 512; i++) {
    kept.push(Buffer.alloc(8 << 20, 1))
    await new Promise(resolve => setImmediate(resolve))
  }
}

describe(`out of memory${note}`, () => {
  let cgroup

  beforeEach(() => { if (!why) cgroup = new MemoryCgroup(LIMIT) })
  afterEach(() => cgroup?.remove())

  withCgroup.each([['tree', 'out of it'], ['tree', 'in it'], ['nested', 'out of it'], ['nested', 'in it']])(
    'the host is killed, and its trees end (%s, %s)', async (containment, trees) => {
      const host = await runHost(hostThatFills, { args: [containment, cgroup.procs, trees] })
      expect(host).toMatchObject({ code: null, signal: 'SIGKILL', stderr: '', printed: ['ready'] })
      await host.survivors()
      expect(cgroup.kills).toBe(1)
    })

  withCgroup('a keeper is killed: its command ends, which is an error, and starts again', async () => {
    const manager = makeManager({ restartDelay: 1 })
    const id = await startReady(manager, { command: fixture('say-ready'), autoRestart: true })
    const { pid } = manager.getProcessStatus(id)
    const { ppid: keeper } = look(pid)
    const seen = record(manager, ['error', 'exit', 'restart'])
    const restarted = once(manager, 'restart')
    fs.writeFileSync(`/proc/${keeper}/oom_score_adj`, '1000')
    fs.writeFileSync(cgroup.procs, String(keeper))
    /* To the kernel, the keeper is now worse than one that uses less than all there is. */
    const line = 'echo 0 > "$1"; for i in 1 2 3 4; do "$0" 96 & done; wait'
    manager.spawnProcess({ command: 'sh', args: ['-c', line, fixture('touch-memory'), cgroup.procs] })
    expect(await restarted).toMatchObject({ processId: id, restarts: 1 })
    expect(cgroup.kills).toBeGreaterThanOrEqual(1)
    expect([pid, keeper].map(isAlive)).toEqual([false, false])
    const ofIt = seen.filter(([, { processId }]) => processId === id)
    expect(ofIt.map(([name, { error, code, signal }]) => [name, error?.code, code, signal])).toEqual([
      ['error', 'ERR_KEEPER_LOST', undefined, undefined], ['exit', undefined, null, null], ['restart', undefined, undefined, undefined]
    ])
  })
})
