'use strict'

/* Names as the tables and the goals use them. */

const OURS = 'ours'
const GROUP = 'ours, group'
const NODE = 'child_process'
const CLONE = 'C clone'

const DISCARDED = 'child_process, discarded'
const READLINE = 'readline'
const EXECA = 'execa'
const SPLIT2 = 'split2'
const RING = 'C ring'
const PATIENT_RING = 'C ring, 1 MiB pipe, 1 ms'
const LOOP = 'C loop'

const PIDUSAGE = 'pidusage'
const PIDTREE = 'pidtree'
const KEPT_OPEN = 'C pread'

const OURS_RAW = 'ours, raw'
const NODE_RAW = 'child_process, raw'
const SDK = 'MCP SDK'
const JSON_ONLY = 'JSON only'
const PIPE = 'C pipe'

const JSON_ECHO = 'JSON echo'

/** Name in the table: its driver, and the package that it needs. */
const libraries = {
  __proto__: null,
  [OURS]: { driver: 'ours' },
  /* Without keepers. */
  [GROUP]: { driver: 'ours', options: { containment: 'group' } },
  [NODE]: { driver: 'child_process' },
  [EXECA]: { driver: 'execa', package: 'execa' },
  'nano-spawn': { driver: 'nano-spawn', package: 'nano-spawn' },
  tinyexec: { driver: 'tinyexec', package: 'tinyexec' },
  [SDK]: { driver: 'mcp-sdk', package: '@modelcontextprotocol/sdk' }
}

/** Other ways to read output and to exchange messages, which cannot answer for starts and ends. */
const ways = {
  __proto__: null,
  [DISCARDED]: { driver: 'child_process', options: { output: 'discard' } },
  [READLINE]: { driver: 'readline' },
  [SPLIT2]: { driver: 'split2', package: 'split2' },
  /* Without JSON. */
  [OURS_RAW]: { driver: 'ours', options: { messages: 'raw' } },
  [NODE_RAW]: { driver: 'child_process', options: { messages: 'raw' } },
  [JSON_ONLY]: { driver: 'json-only' },
  /* They measure what others have started. */
  [PIDUSAGE]: { driver: 'pidusage', package: 'pidusage' },
  [PIDTREE]: { driver: 'pidtree', package: 'pidtree' }
}

const peers = [...Object.values(libraries), ...Object.values(ways)].flatMap((library) => library.package ?? [])

/** A trial in JavaScript. at names the setting in tables and goals. */
function library(name, trial, at, setting) {
  const { driver, options } = libraries[name] ?? ways[name]
  return { name, at, trial, driver, setting: { ...setting, ...(options && { driverOptions: options }) } }
}

/** A trial in C: a program and its arguments. */
function limit(name, at, ...c) {
  return { name, at, c }
}

/** A trial in Python. */
function python(name, driver, at, setting) {
  return { name, at, python: driver, setting }
}

module.exports = {
  OURS, GROUP, NODE, CLONE,
  DISCARDED, READLINE, EXECA, SPLIT2, RING, PATIENT_RING, LOOP,
  PIDUSAGE, PIDTREE, KEPT_OPEN,
  OURS_RAW, NODE_RAW, SDK, JSON_ONLY, PIPE, JSON_ECHO,
  names: Object.keys(libraries), peers, library, limit, python
}
