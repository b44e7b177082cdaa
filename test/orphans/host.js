'use strict'

// A host: starts one tree through a driver, says so, and ends as it is told.

const fs = require('node:fs')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { survivorsWith } = require('../setup/survivors')
const { Lifeline } = require('./lifeline')

const LONGEST_STOP = 10000
const LONGEST_LIFE = 120000

// A sanitizer's runtime was loaded for the addon; the tree does without.
delete process.env.LD_PRELOAD

const setting = isMainThread ? JSON.parse(process.argv[2]) : workerData

function say (value) {
  fs.writeSync(1, `${JSON.stringify(value)}\n`)
}

/** Starts the tree; answers the driver when it stands. */
async function startTree () {
  const driver = await require(setting.driver)(setting.options)
  await new Promise((resolve, reject) => {
    driver.start(setting.tree, text => text.includes('ready') && resolve(), reject)
  })
  return driver
}

/* Not one turn of the loop lies between the stop's end and the look. */
async function stopTree (driver, lifeline) {
  const late = new Promise(resolve => setTimeout(resolve, LONGEST_STOP, 'late'))
  const stopped = await Promise.race([driver.stop(), late])
  const isHeld = lifeline.isHeld()
  say({ stopped, isHeld, left: survivorsWith('PM_TREE_COOKIE', setting.cookie) })
}

function block () {
  say('blocked')
  for (const end = Date.now() + LONGEST_LIFE; Date.now() < end;);
}

async function main () {
  const lifeline = new Lifeline(setting.tree.env.PM_TREE_LIFELINE)
  const driver = await startTree()
  const orders = {
    stop: () => stopTree(driver, lifeline),
    exit: () => process.exit(0),
    throw: () => setImmediate(() => { throw new Error('on purpose') }),
    block
  }
  say({ containment: driver.containment?.() })
  process.stdin.once('data', order => orders[order]())
}

function mainWithWorker () {
  const worker = new Worker(__filename, { workerData: setting })
  worker.once('message', containment => say({ containment }))
  process.stdin.once('data', () => worker.terminate().then(() => say('terminated')))
}

async function work () {
  const driver = await startTree()
  parentPort.postMessage(driver.containment?.())
}

// Without its runner it serves nobody.
setTimeout(() => process.exit(1), LONGEST_LIFE).unref()
if (isMainThread) process.stdin.setEncoding('utf8').on('end', () => process.exit(1))

if (!isMainThread) work()
else if (setting.inWorker) mainWithWorker()
else main()
