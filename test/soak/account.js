'use strict'

// How each command of a host ended, and how it can have ended.

const { shapes } = require('./shapes')

const textOf = ({ code, signal }) => signal ?? (code === null ? 'unknown' : `code ${code}`)

/** What one host says, against what was done to its processes. */
class Account {
  #runs = new Map()
  #early = new Map()
  #checks = []
  #killed = new Set()
  #keepers = new Set()
  #toldLost = new Set()
  #isAmbushed = false
  spawns = 0
  exits = 0
  lost = 0
  refused = 0
  wrong = []

  /* ---- what the driver does: said before or shortly after it is done ---- */

  kill (pid) {
    this.#killed.add(pid)
  }

  /** outermost: the one that the host knows. */
  killKeeper (pid, outermost) {
    this.#killed.add(pid)
    this.#keepers.add(outermost)
  }

  /** Whoever was killed may have been a keeper that was not yet one. */
  ambush (pids, level) {
    this.#isAmbushed = true
    this.kill(pids[level])
    if (level <= 2) this.#keepers.add(pids[1])
  }

  /* ---- what the host says ---- */

  hear (said) {
    if (said.spawn) this.#spawn(said)
    else if (said.asked) this.#ask(said)
    else if (said.lost) this.#lose(said)
    else if (said.exit) this.#exit(said)
    else if (said.refused) this.#refuse(said)
    else if (said.wrong) this.wrong.push({ kind: said.wrong, text: said.text })
  }

  /** The pids of commands that have not been heard to end. */
  running () {
    return [...this.#runs.keys()]
  }

  #spawn ({ spawn: pid, id, shape, containment }) {
    this.spawns++
    this.#runs.set(pid, { pid, id, shape: shapes[shape], containment, asked: this.#early.get(pid) ?? new Set(), end: undefined, lost: 0 })
    this.#early.delete(pid)
    if (!['tree', 'nested'].includes(containment)) this.wrong.push({ kind: 'status', text: `${id} ${pid} is contained by ${containment}` })
    // Killed before its exec failed, it is taken for one that was started.
    if (shapes[shape].missing) this.#checks.push(() => this.#killed.has(pid) ? '' : `${id} ${pid} runs`)
  }

  #ask ({ asked, pid }) {
    const run = this.#runs.get(pid)
    // The spawn event comes on a later turn of the host's loop.
    if (!run && !this.#early.has(pid)) this.#early.set(pid, new Set())
    const all = run?.asked ?? this.#early.get(pid)
    all.add(asked)
  }

  #lose ({ lost, pid }) {
    this.lost++
    if (this.#toldLost.has(lost)) this.wrong.push({ kind: 'status', text: `keeper ${lost} was lost twice` })
    this.#toldLost.add(lost)
    const run = this.#runs.get(pid)
    if (run) run.lost = lost
    this.#checks.push(() => this.#keepers.has(lost) ? '' : `keeper ${lost} of ${run?.id ?? 'an ended command'} is lost, and nobody killed it`)
  }

  #exit (said) {
    this.exits++
    const run = this.#runs.get(said.exit)
    if (!run) {
      this.wrong.push({ kind: 'status', text: `exit of ${said.exit}, which was not spawned` })
      return
    }
    run.end = textOf(said)
    this.#runs.delete(said.exit)
    this.#checks.push(() => {
      const allowed = this.#allowed(run)
      return allowed.has(run.end) ? '' : `${run.id} ${run.pid} (${run.containment}) ended by ${run.end}, not by ${[...allowed].join(', ')}`
    })
  }

  /* A keeper that dies within the spawn makes it fail. */
  #refuse ({ refused, syscall, shape }) {
    this.refused++
    if (refused === 'ENOENT' && shapes[shape].missing) return
    this.#checks.push(() => refused === 'ESRCH' && this.#isAmbushed ? '' : `${shape} could not be started: ${refused} ${syscall}`)
  }

  #allowed ({ pid, shape, containment, asked, lost }) {
    const codes = list => list.map(code => textOf({ code, signal: null }))
    const all = [...codes(shape.own ?? [])]
    const byTerm = ['SIGTERM', ...codes(shape.term ?? [])]
    if (this.#killed.has(pid)) all.push('SIGKILL')
    for (const what of asked) {
      if (what === 'stop') all.push(...byTerm, 'SIGKILL')
      else if (what === 'SIGTERM') all.push(...byTerm)
      else if (what !== 'eof') all.push(what)
      if (['stop', 'eof'].includes(what) && shape.eof !== undefined) all.push(...codes([shape.eof]))
    }
    if (lost) all.push('unknown')
    // The inner keeper sees the outer one go, and ends the tree as if the host had gone.
    if (lost && containment === 'nested') all.push(...byTerm, 'SIGKILL', ...codes(shape.eof === undefined ? [] : [shape.eof]))
    return new Set(all)
  }

  /** Looks at it all once everything that was done is known. */
  close () {
    for (const check of this.#checks) {
      const text = check()
      if (text) this.wrong.push({ kind: 'status', text })
    }
  }
}

module.exports = { Account }
