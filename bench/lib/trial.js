'use strict'

/* The frame of a trial: one process, one driver, one line of JSON on stdout. */

/**
 * @param {(driver: object, setting: object) => Promise<object>} measure answers { metric: number }
 * @param {object} [options] for the driver, made from the setting
 */
function trial(measure, options = () => ({})) {
  const [, , name, json] = process.argv
  run(measure, name, JSON.parse(json), options).catch((error) => {
    console.error(error)
    process.exit(1)
  })
}

async function run(measure, name, setting, options) {
  const driver = await require(`../drivers/${name}`)({ ...options(setting), ...setting.driverOptions })
  const metrics = await measure(driver, setting)
  await driver.close?.()
  process.stdout.write(`${JSON.stringify(metrics)}\n`)
}

/** A turn of the loop, so that what the last spawn left to do is done. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

module.exports = { trial, turn }
