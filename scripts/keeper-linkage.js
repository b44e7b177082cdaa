'use strict'

// Prints how the keeper is to be linked here, for binding.gyp: 'freestanding'
// (without libc: smallest), 'static' (with the libc there is) or 'dynamic' (the
// last resort). The first argument says it, else each is tried with the compiler
// and flags that make will use.

const { execSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

/* An array on the stack is what flags for hardening call libc for. */
const program = 'int (*volatile use)(char *); int main(void) { char text[64]; return use ? use(text) : 0; }\n'
const ways = {
  freestanding: {
    source: `#if !defined(__x86_64__) && !defined(__aarch64__)\n#error\n#endif\n${program}void _start(void) { for (;;) main(); }\n`,
    flags: '-ffreestanding -nostdlib -static'
  },
  static: { source: program, flags: '-static' },
  dynamic: { source: program, flags: '-no-pie' }
}

function works ({ source, flags }, directory) {
  const { CC = 'cc', CPPFLAGS = '', CFLAGS = '', LDFLAGS = '' } = process.env
  fs.writeFileSync(path.join(directory, 'try.c'), source)
  try {
    // By a shell, as make does it: each of these may be several words.
    execSync(`${CC} -fno-pie ${flags} -o try try.c ${CPPFLAGS} ${CFLAGS} ${LDFLAGS}`, { cwd: directory, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function choose () {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keeper-linkage-'))
  try {
    return Object.keys(ways).find((name) => works(ways[name], directory)) ?? 'dynamic'
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

const linkage = process.argv[2] || choose()
if (!Object.hasOwn(ways, linkage)) throw new Error(`The keeper is linked ${Object.keys(ways).join(', ')}, not ${linkage}`)
console.error(`mcp-process-manager: the keeper is linked ${linkage}`)
console.log(linkage)
