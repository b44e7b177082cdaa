'use strict'

// What a tree gets from its keeper to end by itself once the host has gone.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { runHost } = require('../support/host')
const { portable } = require('../support/manager')

/* The portable backend has no keepers. */
const withKeeper = portable ? test.skip : test
let directory

beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'host-exit-')) })
afterEach(() => fs.rmSync(directory, { recursive: true }))

/** Is killed when its command, which takes ms to end after SIGTERM and then notes its exit code, is ready. */
const hostThatIsKilled = async ({ ProcessManager, fixture }, options, config, ms, file) => {
  const fs = require('node:fs')
  const manager = new ProcessManager(options)
  const line = 'trap "" TERM; "$0" "$1" > "$2"; echo "exit code $?" >> "$2"'
  manager.spawnProcess({ command: 'sh', args: ['-c', line, fixture('slow-term'), String(ms), file], ...config })
  while (!fs.existsSync(file) || !fs.readFileSync(file, 'latin1').includes('ready')) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  process.kill(process.pid, 'SIGKILL')
}

/** What the command wrote until all was gone. */
async function writtenWith (options, config, ms) {
  const file = path.join(directory, 'written')
  const host = await runHost(hostThatIsKilled, { args: [options, config, ms, file] })
  expect(host).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  await host.survivors()
  return fs.readFileSync(file, 'latin1').split('\n').filter(Boolean)
}

const whole = ['ready', 'ending', 'exit code 0']

withKeeper.each([['tree'], ['nested']])('is hostExitTimeout, of the manager or of the process (%s)', async containment => {
  /* More than the 2000 ms that are the default. */
  expect(await writtenWith({ containment, hostExitTimeout: 60000 }, {}, 2300)).toEqual(whole)
  fs.rmSync(path.join(directory, 'written'))
  expect(await writtenWith({ containment, hostExitTimeout: 1 }, { hostExitTimeout: 60000 }, 300)).toEqual(whole)
})

withKeeper.each([[0], [100]])('is not more than that (%d)', async hostExitTimeout => {
  expect(await writtenWith({ hostExitTimeout }, {}, 60000)).not.toContain(whole.at(-1))
})

withKeeper('begins with the stopSignal', async () => {
  const options = { hostExitTimeout: 60000, stopSignal: { signal: 'SIGUSR1' } }
  /* The end of slow-term, which waits for SIGTERM: nothing has said "ending". */
  const written = await writtenWith(options, {}, 1)
  expect(written[0]).toBe('ready')
  expect(written).not.toContain('ending')
})
