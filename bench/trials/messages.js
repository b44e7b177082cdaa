'use strict'

/* JSON lines to a child that echoes them: how many a second, how long one takes,
 * and what it costs the host. */

const { performance } = require('node:perf_hooks')
const percentile = require('../lib/percentile')
const { program } = require('../lib/programs')
const { trial } = require('../lib/trial')

const FIRST_ID = 100000 // all ids have as many digits, and so all messages one size
const TEXT = 'the quick brown fox jumps over the lazy dog, and on it goes. '.repeat(4)

const message = (id, params) => ({ jsonrpc: '2.0', id, method: 'bench/echo', params })
const sizeOf = (content) => JSON.stringify(message(FIRST_ID, { content })).length + 1
const textItem = (text) => ({ type: 'text', text })

/* Paragraphs of text, as in the answers of real servers. */
function paramsOf(size) {
  const whole = sizeOf([textItem(TEXT), textItem(TEXT)]) - sizeOf([textItem(TEXT)])
  const last = (count) => size - sizeOf([...new Array(count).fill(textItem(TEXT)), textItem('')])
  let count = Math.max(0, Math.floor((size - sizeOf([])) / whole) - 1)
  while (count > 0 && last(count) < 0) count--
  const params = { content: [...Array.from({ length: count }, () => textItem(TEXT)), textItem('x'.repeat(last(count)))] }
  if (sizeOf(params.content) !== size) throw new Error(`a message of ${sizeOf(params.content)} bytes, not ${size}`)
  return params
}

/* What is sent as message i, and whether what has come is its echo. */
function objects(size) {
  const params = paramsOf(size)
  const items = params.content.length
  return {
    make: (i) => message(FIRST_ID + i, params),
    isEcho: (echo, i) => echo.id === FIRST_ID + i && echo.params.content.length === items
  }
}

function strings(size) {
  const text = JSON.stringify(message(FIRST_ID, paramsOf(size)))
  return { make: () => text, isEcho: (echo) => echo.length === text.length }
}

async function measure(driver, { size, window, warmup, count, driverOptions }) {
  const { make, isEcho } = (driverOptions?.messages === 'raw' ? strings : objects)(size)
  const times = new Float64Array(count)
  let onMessage
  const channel = await driver.connect(program('echo'), [], (echo) => onMessage(echo))

  /* Sends so many, and resolves when the last has come back. */
  const exchange = (total) => new Promise((resolve) => {
    let sent = 0
    let received = 0
    const send = () => {
      times[sent] = performance.now()
      channel.send(make(sent++))
    }
    onMessage = (echo) => {
      times[received] = performance.now() - times[received]
      if (!isEcho(echo, received)) throw new Error(`message ${received} has come back as another one`)
      if (++received === total) return resolve()
      if (sent < total) send()
    }
    while (sent < Math.min(window, total)) send()
  })

  await exchange(warmup)
  const used = process.cpuUsage()
  const begin = performance.now()
  await exchange(count)
  const wall = performance.now() - begin
  const { user, system } = process.cpuUsage(used)
  await channel.close()
  return {
    rate: (count * 1e3) / wall,
    p50: percentile(times, 0.5) * 1e3,
    p99: percentile(times, 0.99) * 1e3,
    cpu: (user + system) / count
  }
}

trial(measure, () => ({ messages: 'json' }))
