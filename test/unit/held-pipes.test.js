'use strict'

// A descendant that holds the command's pipes for ever, and is not ended with it.

const { makeManager, record, exitOf, wrote, portable } = require('../support/manager')
const { fixture, isAlive, until } = require('../support/children')

/* 'group' does not reach it. A keeper does, unless it is told to leave the rest alone. */
const ways = [
  ['group', true], ['none', true], ['group', false],
  ...(portable ? [] : [['tree', false], ['nested', false]])
]

/** Starts a command that leaves such a one behind: [id, pid of the descendant]. */
async function startHolder (manager, mode, config) {
  const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: [mode, '3'], ...config })
  const { data } = await wrote(manager, id, 'grandchild')
  return [id, Number(/grandchild (\d+)/.exec(data)[1])]
}

test.each(ways.flatMap(([containment, killTree]) => [
  ['setsid', containment, killTree], ['setsid-flood', containment, killTree]
]))('exit comes once, after the last output (%s; %s, killTree: %p)', async (mode, containment, killTree) => {
  const manager = makeManager()
  const seen = record(manager, ['stdout', 'line', 'exit'])
  const started = startHolder(manager, mode, { id: 'holder', containment, killTree })
  const ended = exitOf(manager, 'holder')
  const [id, holder] = await started
  try {
    expect(await ended).toMatchObject({ code: 3, signal: null })
    expect(await manager.stopProcess(id)).toBe(true)
  } finally {
    if (isAlive(holder)) process.kill(holder, 'SIGKILL')
  }
  await until(() => !isAlive(holder), 'the holder has ended')
  expect(manager.removeProcess(id)).toBe(true)
  await manager.cleanup()
  const names = seen.map(([name]) => name)
  expect(names.filter(name => name === 'exit')).toHaveLength(1)
  expect(names.at(-1)).toBe('exit')
})

test.each(ways.filter(([, killTree]) => !killTree))(
  'who writes to the pipe of a command that left it alone has nobody to read it (%s)', async (containment, killTree) => {
    const manager = makeManager({ containment, killTree })
    const [id, holder] = await startHolder(manager, 'setsid-late', {})
    try {
      await until(() => manager.getProcessStatus(id).state === 'exited', 'the command has ended')
      expect(isAlive(holder)).toBe(true)
      /* SIGUSR1 makes it write, which ends it by SIGPIPE once the pipe is closed. */
      await until(() => {
        if (isAlive(holder)) process.kill(holder, 'SIGUSR1')
        return !isAlive(holder)
      }, 'it has got SIGPIPE')
      expect(manager.getProcessLogs(id).stdout).not.toContain('late')
    } finally {
      if (isAlive(holder)) process.kill(holder, 'SIGKILL')
    }
  })
