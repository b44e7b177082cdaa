'use strict'

// What is in a log file.

const fs = require('node:fs')

const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (stdout|stderr) ([^]*)$/

/** [{ time, stream, line }], time in ms since the epoch. */
function readLogFile (name) {
  const text = fs.readFileSync(name, 'utf8')
  if (text === '') return []
  if (!text.endsWith('\n')) throw new Error(`${name} ends within a line: ${text.slice(-200)}`)
  return text.slice(0, -1).split('\n').map(entry => {
    const [, time, stream, line] = pattern.exec(entry)
    return { time: Date.parse(time), stream, line }
  })
}

module.exports = { readLogFile }
