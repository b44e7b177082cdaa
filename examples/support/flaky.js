'use strict'

// Fails as often as told, then runs until its stdin ends. It remembers how
// often it was started in a file: node flaky.js FILE FAILURES

const fs = require('node:fs')

const [file, failures] = process.argv.slice(2)
fs.appendFileSync(file, '.')
const start = fs.statSync(file).size

if (start <= Number(failures)) {
  console.error(`start ${start}: no luck`)
  process.exitCode = 1
} else {
  console.log(`start ${start}: works`)
  process.stdin.resume()
}
