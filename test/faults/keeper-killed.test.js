'use strict'

// A keeper is killed under each kind of tree: of two, the other ends everything; of one, what stayed in its session ends.

const path = require('node:path')
const { Lifeline } = require('../orphans/lifeline')
const { rows, commandOf } = require('../orphans/matrix')
const { prepare } = require('../orphans/place')
const { makeManager, record, wrote, portable } = require('../support/manager')
const { look, until } = require('../support/children')

/* The portable backend starts commands without keepers, so there is none to lose. */
const describeKept = portable ? describe.skip : describe
const leavesSession = new Set(['grandchild with setsid', 'daemon', 'chain with setsid', 'many (50 descendants)'])
/* That one ends by itself, and its keepers with it, before anybody could kill them. */
const lasting = rows.filter(({ name }) => name !== 'exits, leaves a daemon')

describeKept('nothing is left of a tree of which a keeper was killed', () => {
  let place
  let count = 0

  beforeAll(() => { place = prepare() })
  afterAll(() => place?.remove())

  test.each([
    ...lasting.flatMap(row => [['nested', 'outer', row.name, row], ['nested', 'inner', row.name, row]]),
    ...lasting.filter(({ name }) => !leavesSession.has(name)).map(row => ['tree', 'only', row.name, row])
  ])('%s, the %s one: %s', async (containment, which, name, row) => {
    const lifeline = Lifeline.make(path.join(place.directory, `lifeline-${count++}`))
    try {
      const manager = makeManager({ containment })
      const errors = record(manager, ['error'])
      const env = { ...place.env, PM_TREE_LIFELINE: lifeline.path }
      const id = manager.spawnProcess({ ...commandOf(row, place), workingDir: place.cwd, env })
      const inner = look(manager.getProcessStatus(id).pid).ppid
      const keeper = which === 'outer' ? look(inner).ppid : inner
      await wrote(manager, id, 'ready')
      process.kill(keeper, 'SIGKILL')
      await until(() => !lifeline.isHeld(), 'nobody was left', 4000)
      await until(() => manager.getProcessStatus(id).state === 'exited', 'the manager knew')
      expect(errors.map(([, { error }]) => error.code)).toEqual(['ERR_KEEPER_LOST'])
    } finally {
      lifeline.cut()
      lifeline.close()
    }
  })
})
