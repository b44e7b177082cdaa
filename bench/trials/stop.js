'use strict'

/* How long a stop of an awkward child takes, and what it leaves. */

const { randomUUID } = require('node:crypto')
const { survivorsWith } = require('../../test/setup/survivors')
const { program, root } = require('../lib/programs')

const LONGEST = 8000 // ms that a stop may take before it is called hung
const LINGER = 500 // ms in which what has been sent SIGKILL is gone
const cookie = 'BENCH_STOP_COOKIE'

function endAll(value) {
  for (let left; (left = survivorsWith(cookie, value)).length > 0;) {
    for (const line of left) {
      try {
        process.kill(parseInt(line, 10), 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

async function measure(makeDriver, options, kind) {
  const driver = await makeDriver({ library: root, manager: options })
  const value = randomUUID()
  await new Promise((resolve, reject) => {
    driver.start({ command: program('awkward'), args: [kind], env: { [cookie]: value } },
      (text) => text.includes('ready') && resolve(), reject)
  })
  /* "stopped" stops itself, and the descendants come, a moment after "ready". */
  await new Promise((resolve) => setTimeout(resolve, 100))
  const begin = performance.now()
  const patience = new Promise((resolve) => setTimeout(resolve, LONGEST, 'hung'))
  const answer = await Promise.race([driver.stop(), patience])
  const took = performance.now() - begin
  const atOnce = survivorsWith(cookie, value).length
  /* Who does not wait for the end of what it kills has left nothing by that. */
  if (atOnce > 0) await new Promise((resolve) => setTimeout(resolve, LINGER))
  const left = survivorsWith(cookie, value).length
  endAll(value)
  return { took: answer === 'hung' ? undefined : took, atOnce, left }
}

async function main([name, json]) {
  const { kinds, options } = JSON.parse(json)
  const makeDriver = require(`../../test/orphans/drivers/${name}`)
  const figures = { atOnce: 0, left: 0, hung: 0 }
  for (const kind of kinds) {
    const { took, atOnce, left } = await measure(makeDriver, options, kind)
    if (took === undefined) figures.hung++
    else figures[kind] = took
    figures[`${kind}, left`] = left
    figures.atOnce += atOnce
    figures.left += left
  }
  figures.slowest = Math.max(...kinds.map((kind) => figures[kind] ?? LONGEST))
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit())
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error)
  process.exit(1)
})
