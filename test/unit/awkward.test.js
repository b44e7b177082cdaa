'use strict'

// Stops of commands that are hard to stop: each settles with the keeper's end, whoever holds a pipe.

const { makeManager, record, wrote, portable } = require('../support/manager')
const { fixture, isAlive, look, until } = require('../support/children')

/* What leaves the session is out of reach without a keeper. */
const kept = list => portable ? list.filter(([kind]) => !kind.startsWith('a detached')) : list

const kinds = kept([
  ['ignores the end of stdin', [fixture('say-ready')], { plain: 'SIGTERM', eofFirst: 'SIGTERM' }],
  ['ends by SIGTERM or the end of stdin', ['sh', '-c', 'echo ready; exec cat'], { plain: 'SIGTERM', eofFirst: 'stdin' }],
  ['ends by the end of stdin only', [fixture('exit-on-eof')], { plain: 'SIGKILL', eofFirst: 'stdin' }],
  ['takes its time after SIGTERM', [fixture('slow-term'), '300'], { plain: 'SIGTERM', eofFirst: 'SIGTERM' }],
  ['ignores SIGTERM', [fixture('ignore-term')], { plain: 'SIGKILL', eofFirst: 'SIGKILL' }],
  ['is stopped', [fixture('stop-itself')], { plain: 'SIGTERM', eofFirst: 'SIGTERM' }],
  ['a detached child floods stdout', [fixture('spawn-grandchild'), 'setsid-flood'], { plain: 'SIGTERM', eofFirst: 'SIGTERM' }],
  ['a detached child holds stdout', [fixture('spawn-grandchild'), 'setsid'], { plain: 'SIGTERM', eofFirst: 'SIGTERM' }],
  ['a detached child holds stdout and ignores SIGTERM', [fixture('spawn-grandchild'), 'setsid-ignore'],
    { plain: 'SIGKILL', eofFirst: 'SIGKILL' }]
])

describe.each([['plain', 0], ['eofFirst', 1]])('a stop (%s)', (how, isEofFirst) => {
  test.each(kinds)('%s', async (kind, [command, ...args], steps) => {
    const step = steps[how]
    const manager = makeManager()
    /* Only what is wanted to run out is short. */
    const eofTimeout = isEofFirst && (step === 'stdin' ? 60000 : 50)
    const id = manager.spawnProcess({ command, args, eofTimeout })
    const { pid } = manager.getProcessStatus(id)
    const { data } = await wrote(manager, id, /spawn-grandchild/.test(command) ? 'grandchild' : 'ready')
    if (kind === 'is stopped') await until(() => look(pid).state === 'T', 'it stands still')
    const grandchild = Number(/grandchild (\d+)/.exec(data)?.[1] ?? pid)
    const seen = record(manager, ['stdout', 'exit', 'stop', 'error'])
    expect(await manager.stopProcess(id, step === 'SIGKILL' ? 100 : 60000)).toBe(true)
    expect([pid, grandchild].map(isAlive)).toEqual([false, false])
    const ends = seen.filter(([name]) => name !== 'stdout')
    expect(ends.map(([name]) => name)).toEqual(['exit', 'stop'])
    expect(ends[1][1]).toMatchObject({ stopped: true, step, left: 0, survivors: [] })
    /* What is read after the exit is for the log. */
    expect(seen.findLastIndex(([name]) => name === 'stdout')).toBeLessThan(seen.indexOf(ends[0]))
  })
})
