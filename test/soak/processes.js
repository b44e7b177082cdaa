'use strict'

// What /proc says of the processes below a host.

const fs = require('node:fs')

const KEEPER = 'mcp-process-keeper'
const GUARD = 4

function read (path) {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** The pids of the children of a process of one thread, or of the first thread's. */
function childrenOf (pid) {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

/** { state, ppid, session } of a process, undefined if there is none. */
function look (pid) {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === '') return undefined
  const [state, ppid, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state, ppid: Number(ppid), session: Number(session) }
}

function isAlive (pid) {
  const found = look(pid)
  return found !== undefined && !/[ZX]/.test(found.state)
}

/** { pid, parent, kept, isGuard } from the arguments of a keeper's program; undefined for anybody else. */
function asKeeper (pid) {
  const [name, parent, kept, , , flags] = read(`/proc/${pid}/cmdline`).split('\0')
  return name === KEEPER ? { pid, parent: Number(parent), kept: Number(kept), isGuard: (Number(flags) & GUARD) !== 0 } : undefined
}

/*
 * Keepers of a living host whose loss leaves something that ends the rest: not the
 * second of two.
 */
function keepersToKill (host) {
  const found = []
  for (const keeper of childrenOf(host).map(asKeeper).filter(Boolean)) {
    if (!isAlive(keeper.pid)) continue
    if (!keeper.isGuard) {
      found.push({ ...keeper, outermost: keeper.pid })
      continue
    }
    const inner = asKeeper(keeper.kept)
    if (inner && isAlive(inner.pid)) found.push({ ...keeper, outermost: keeper.pid }, { ...inner, outermost: keeper.pid })
  }
  return found
}

/** Everything below a process but keepers. */
function kept (pid) {
  return childrenOf(pid).flatMap(child => [...(asKeeper(child) ? [] : [child]), ...kept(child)])
}

function allPids () {
  return fs.readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(Number)
}

/** "pid command line" of each keeper that was a host's. Theirs is no environment to be known by. */
function keepersLeft (host) {
  const all = allPids().map(asKeeper).filter(Boolean)
  const outer = all.filter(({ parent }) => parent === host)
  const inner = all.filter(({ parent }) => outer.some(({ pid }) => pid === parent))
  return [...outer, ...inner].filter(({ pid }) => isAlive(pid)).map(({ pid }) => `${pid} ${KEEPER}`)
}

/** Whether anything lives in one of the sessions, a Set. */
function isAnyInSession (sessions) {
  return sessions.size > 0 && allPids().some(pid => {
    const found = look(pid)
    return found !== undefined && sessions.has(found.session) && !/[ZX]/.test(found.state)
  })
}

module.exports = { isAlive, look, keepersToKill, kept, keepersLeft, isAnyInSession }
