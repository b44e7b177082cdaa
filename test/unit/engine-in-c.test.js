'use strict'

// The engine is C and knows nothing of JavaScript; the JavaScript is a shim
// that decides nothing. What would break that shows in the sources' words.

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

/** [name, text without comments] of the sources below a directory. */
function sources (directory, pattern) {
  return fs.readdirSync(path.join(root, directory), { recursive: true })
    .filter(name => pattern.test(name))
    .map(name => {
      const text = fs.readFileSync(path.join(root, directory, name), 'utf8')
      return [`${directory}/${name}`, text.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')]
    })
}

/** "file: what was found" for each source that has it. */
function findings (list, pattern) {
  return list.flatMap(([name, text]) => (text.match(pattern) ?? []).map(found => `${name}: ${found}`))
}

const javascript = sources('lib', /\.m?js$/)
const engine = [...sources('csrc/core', /\.[ch]$/), ...sources('csrc/platform', /\.[ch]$/), ...sources('csrc', /^pm\.h$/)]
const binding = [...sources('csrc/binding', /\.(cc|h)$/), ...sources('csrc', /^binding\.cc$/)]

test('there is something to look at', () => {
  expect(javascript.length).toBeGreaterThan(5)
  expect(engine.length).toBeGreaterThan(30)
  expect(binding.length).toBeGreaterThan(3)
})

describe('lib/', () => {
  test.each([
    ['timers', /\bset(Timeout|Interval|Immediate)\b/g],
    ['names of states', /'(starting|running|stopping|backoff|exited|failed|stopped)'/g],
    ['signals', /\bSIG[A-Z]{3,}\b/g],
    ['modules that start or watch processes', /child_process|cluster|node:fs|require\('fs'\)/g],
    ['buffers of its own', /Buffer\.(concat|alloc|from)|TextDecoder|StringDecoder/g],
    ['random numbers or clocks', /Math\.random|Date\.now|performance\.now|hrtime/g]
  ])('has no %s', (_, pattern) => {
    expect(findings(javascript, pattern)).toEqual([])
  })
})

// Where lines end is found in C. What one read brought comes as one string, which is taken
// apart at the ends that the engine left in it: that costs a fraction of as many strings.
// The wrapper's channel has another peer, its host.
test('only lib/batches.js takes output apart, and at "\\n" alone', () => {
  const elsewhere = javascript.filter(([name]) => !['lib/batches.js', 'lib/wrapper/channel.js', 'lib/process-manager-wrapper.js'].includes(name))
  expect(findings(elsewhere, /\.split\(|'\\n'|\\r/g)).toEqual([])
  expect(findings(javascript, /\\r/g)).toEqual([])
})

// Who asks for a report while another is under way waits in the addon.
test('lib/reports.js only makes objects', () => {
  const reports = javascript.filter(([name]) => name === 'lib/reports.js')
  expect(reports).toHaveLength(1)
  expect(findings(reports, /\bclass\b|\bawait\b|\bPromise\b|\blet\b|\bthis\b/g)).toEqual([])
})

describe('csrc/core and csrc/platform', () => {
  test.each([
    ['Node-API', /napi|node_api|Napi/g], ['V8', /\bv8\b/gi], ['C++', /\bclass \w|\bnamespace\b|std::|\bnew \w+\(/g],
    ['JavaScript', /javascript/gi]
  ])('know nothing of %s', (_, pattern) => {
    expect(findings(engine, pattern)).toEqual([])
  })

  test('never wait for any child but their own', () => {
    expect(findings(engine, /\bwaitpid\(\s*-1|\bwait\(|\bwait3\(|signal\(SIGCHLD|sigaction\(SIGCHLD/g)).toEqual([])
  })

  test('never abort or end the host', () => {
    expect(findings(engine, /\babort\(|[^_]\bexit\(|\bassert\(/g)).toEqual([])
  })

  test('use no shell', () => {
    expect(findings(engine, /\bsystem\(|\bpopen\(|\bexec[lv]p[e]?\(|\/bin\/sh/g)).toEqual([])
  })
})

test('the binding decides nothing: no timers, no signals, no system calls', () => {
  expect(findings(binding, /uv_timer|uv_poll|uv_spawn|\bkill\(|SIG(TERM|KILL)|waitpid|\bfork\(|\bclone\(/g)).toEqual([])
})

test('most of the native code is C', () => {
  const size = list => list.reduce((sum, [, text]) => sum + text.length, 0)
  expect(size(binding) / (size(engine) + size(binding))).toBeLessThan(0.25)
})
