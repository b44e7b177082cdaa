#!/usr/bin/env node
'use strict'

// Stands where a host takes Node to be: runs the wrapper, and writes down what passes
// both ways, as lines of { to } and { from }.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')

const [program, input, output] = process.argv.slice(2)
const log = fs.openSync(path.join(process.env.PM_TEE_DIRECTORY, `${process.pid}.log`), 'w')
const wrapper = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'] })

function copy (from, to, name) {
  let rest = ''
  from.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    fs.writeSync(log, lines.map(line => `${JSON.stringify({ [name]: line })}\n`).join(''))
    to.write(text)
  })
  from.on('end', () => to.end())
  to.on('error', () => {})
}

copy(new net.Socket({ fd: Number(input), readable: true, writable: false }), wrapper.stdio[3], 'to')
copy(wrapper.stdio[4], new net.Socket({ fd: Number(output), readable: false, writable: true }), 'from')
wrapper.on('exit', code => process.exit(code ?? 1))
