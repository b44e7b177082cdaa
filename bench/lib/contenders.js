'use strict'

/* Names as the tables and the goals use them. */

const OURS = 'ours'
const GROUP = 'ours, group'
const NODE = 'child_process'
const CLONE = 'C clone'

/** Name in the table: its driver, and the package that it needs. */
const libraries = {
  __proto__: null,
  [OURS]: { driver: 'ours' },
  /* Without keepers. */
  [GROUP]: { driver: 'ours', options: { containment: 'group' } },
  [NODE]: { driver: 'child_process' },
  execa: { driver: 'execa', package: 'execa' },
  'nano-spawn': { driver: 'nano-spawn', package: 'nano-spawn' },
  tinyexec: { driver: 'tinyexec', package: 'tinyexec' },
  'MCP SDK': { driver: 'mcp-sdk', package: '@modelcontextprotocol/sdk' }
}

const peers = Object.values(libraries).flatMap((library) => library.package ?? [])

/** A trial in JavaScript. at names the setting in tables and goals. */
function library(name, trial, at, setting) {
  const { driver, options } = libraries[name]
  return { name, at, trial, driver, setting: { ...setting, ...(options && { driverOptions: options }) } }
}

/** A trial in C: a program and its arguments. */
function limit(name, at, ...c) {
  return { name, at, c }
}

module.exports = { OURS, GROUP, NODE, CLONE, names: Object.keys(libraries), peers, library, limit }
