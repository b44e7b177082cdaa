'use strict'

// How a user reaches the classes, by every entry point of the package.

const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { preload } = require('../support/manager')

const root = path.join(__dirname, '..', '..')
const { exports: entries, types, files } = require('../../package.json')

/** What a module prints that is run beside the package, which may name itself. */
function print (source, type, cwd = root) {
  const env = { ...process.env, ...(preload && { LD_PRELOAD: preload }) }
  return JSON.parse(execFileSync(process.execPath, [`--input-type=${type}`, '-e', source], { cwd, env, encoding: 'utf8' }))
}

describe('require', () => {
  test('of lib/process-manager gives the class, under three names', () => {
    const ProcessManager = require('../../lib/process-manager')
    expect(typeof ProcessManager).toBe('function')
    expect(ProcessManager.name).toBe('ProcessManager')
    expect(ProcessManager.ProcessManager).toBe(ProcessManager)
    expect(ProcessManager.default).toBe(ProcessManager)
    const manager = new ProcessManager()
    expect(manager).toBeInstanceOf(EventEmitter)
    expect(manager).toBeInstanceOf(ProcessManager)
    return manager.cleanup()
  })

  test('of lib/process-metrics gives the class', () => {
    const ProcessMetrics = require('../../lib/process-metrics')
    expect(ProcessMetrics.ProcessMetrics).toBe(ProcessMetrics)
    expect(new ProcessMetrics()).toBeInstanceOf(ProcessMetrics)
  })

  test('by the name of the package', () => {
    expect(print(`
      const ProcessManager = require('mcp-process-manager')
      const ProcessMetrics = require('mcp-process-manager/process-metrics')
      console.log(JSON.stringify([ProcessManager.name, ProcessMetrics.name, require('mcp-process-manager/package.json').name,
        ProcessManager === require('./lib/process-manager'), ProcessManager === require('mcp-process-manager').ProcessManager]))
    `, 'commonjs')).toEqual(['ProcessManager', 'ProcessMetrics', 'mcp-process-manager', true, true])
  })

  test('of lib/opentelemetry gives one function, and loads no package by itself', () => {
    const loaded = "Object.keys(require.cache).filter(name => name.includes('@opentelemetry')).length"
    expect(print(`
      const { observe } = require('mcp-process-manager/opentelemetry')
      console.log(JSON.stringify([typeof observe, Object.keys(require('mcp-process-manager/opentelemetry')), ${loaded}]))
    `, 'commonjs')).toEqual(['function', ['observe'], 0])
    expect(print(`
      import { observe } from 'mcp-process-manager/opentelemetry'
      console.log(JSON.stringify(typeof observe))
    `, 'module')).toBe('function')
  })

  test('of anything else in the package is closed', () => {
    expect(print(`
      try { require('mcp-process-manager/lib/native.js') } catch (error) { console.log(JSON.stringify(error.code)) }
    `, 'commonjs')).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})

describe('import', () => {
  test('gives the class as default and by name, the same as require', () => {
    expect(print(`
      import ProcessManager, { ProcessManager as named } from 'mcp-process-manager'
      import ProcessMetrics, { ProcessMetrics as namedMetrics } from 'mcp-process-manager/process-metrics'
      import { createRequire } from 'node:module'
      const require = createRequire(process.cwd() + '/x.js')
      console.log(JSON.stringify([ProcessManager === named, ProcessManager === require('mcp-process-manager'),
        ProcessMetrics === namedMetrics, ProcessMetrics === require('mcp-process-manager/process-metrics')]))
    `, 'module')).toEqual([true, true, true, true])
  })

  test('works with a process', () => {
    expect(print(`
      import ProcessManager from 'mcp-process-manager'
      const manager = new ProcessManager()
      const id = manager.spawnProcess({ command: 'echo', args: ['hello'] })
      await new Promise(resolve => manager.on('exit', resolve))
      console.log(JSON.stringify(manager.getProcessLogs(id)))
    `, 'module')).toEqual({ stdout: ['hello'], stderr: [] })
  })
})

describe('where nothing was built', () => {
  let directory

  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'modules-test-'))
    for (const name of ['lib', 'package.json']) fs.cpSync(path.join(root, name), path.join(directory, name), { recursive: true })
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
  })

  afterAll(() => fs.rmSync(directory, { recursive: true }))

  /* Printed when all is over: an exception that nobody caught would be the end before. */
  test.each([
    ['require', "require('mcp-process-manager')", 'commonjs'],
    ['require', "require('mcp-process-manager/process-metrics')", 'commonjs'],
    ['import()', "await import('mcp-process-manager')", 'module'],
    ['import()', "await import('mcp-process-manager/process-metrics')", 'module']
  ])('%s says so, to who can catch it: %s', (way, load, type) => {
    const { code, message } = print(`
      let error
      try { ${load} } catch (caught) { error = caught }
      setTimeout(() => console.log(JSON.stringify({ code: error.code, message: error.message })))
    `, type, directory)
    expect(code).toBe('ERR_ADDON_NOT_BUILT')
    expect(message).toContain('npm rebuild mcp-process-manager')
  })
})

describe('the package', () => {
  const paths = value => typeof value === 'string' ? [value] : Object.values(value).flatMap(paths)

  test('names files that are there', () => {
    for (const file of [...paths(entries), types]) expect([file, fs.existsSync(path.join(root, file))]).toEqual([file, true])
  })

  test('has types for each entry and way', () => {
    for (const entry of ['.', './process-metrics']) {
      for (const way of ['import', 'require']) expect(entries[entry][way].types).toMatch(/\.d\.m?ts$/)
    }
  })

  test('is published with what an install needs', () => {
    expect(files).toEqual(expect.arrayContaining(['binding.gyp', 'csrc', 'lib']))
  })
})

test('the class declares each method that the contract has', () => {
  const ProcessManager = require('../../lib/process-manager')
  const names = Object.getOwnPropertyNames(ProcessManager.prototype)
  expect(names).toEqual(expect.arrayContaining([
    'spawnProcess', 'stopProcess', 'restartProcess', 'signalProcess', 'getProcessStatus', 'getProcessLogs', 'listProcesses', 'writeStdin',
    'closeStdin', 'removeProcess', 'stopAll', 'cleanup', 'ref', 'unref', 'backend'
  ]))
})

test('the backend is what the environment of the host asks for', () => {
  const source = "console.log(JSON.stringify(new (require('mcp-process-manager'))().backend))"
  const saved = process.env.MCP_PROCESS_MANAGER_SPAWN
  try {
    process.env.MCP_PROCESS_MANAGER_SPAWN = 'portable'
    expect(print(source, 'commonjs')).toBe('uv_spawn')
    delete process.env.MCP_PROCESS_MANAGER_SPAWN
    expect(print(source, 'commonjs')).toBe('clone')
  } finally {
    if (saved !== undefined) process.env.MCP_PROCESS_MANAGER_SPAWN = saved
  }
})
