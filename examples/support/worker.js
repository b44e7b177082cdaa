'use strict'

// A server that logs: each line on its stdin is a job. It leaves when stdin ends.

const readline = require('node:readline')

for (const part of ['config', 'plugins', 'cache']) console.error(`loading ${part}`)
console.error('ready')

readline.createInterface({ input: process.stdin }).on('line', job => {
  console.error(`job ${job}: begins`)
  console.log(`${job} done`)
})
