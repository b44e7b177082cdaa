'use strict'

// Checks what npm would publish: the files it has to hold, and none it must not.

const path = require('node:path')

/* Flags of the packer's own: the build must not see them. */
for (const name of ['CFLAGS', 'CXXFLAGS', 'LDFLAGS']) process.env[name] = '-fno-such-flag-for-others'
const { pack, root } = require('./support/npm')

const prebuilds = `prebuilds/${process.platform}-${process.arch}`
const needed = [
  'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'binding.gyp', 'scripts/keeper-linkage.js',
  'csrc/pm.h', 'csrc/binding.cc', 'csrc/keeper/main.c',
  `${prebuilds}/mcp-process-manager.glibc.node`, `${prebuilds}/mcp-process-keeper`,
  'lib/process-manager.js', 'lib/process-manager.mjs', 'lib/process-manager.d.ts', 'lib/process-manager.d.mts',
  'lib/process-metrics.js', 'lib/process-metrics.mjs', 'lib/process-metrics.d.ts', 'lib/process-metrics.d.mts',
  'lib/opentelemetry.js', 'lib/opentelemetry.mjs', 'lib/opentelemetry.d.ts', 'lib/opentelemetry.d.mts',
  'python/process_manager_impl.py', 'python/process_manager_contract.py', 'python/pyproject.toml',
  'python/mcp_process_manager/py.typed', 'python/mcp_process_manager/_manager.py', 'python/process_manager_impl-stubs/__init__.pyi',
  'lib/process-manager-wrapper.js', 'lib/wrapper/serve.js', 'lib/wrapper/protocol.schema.json'
]
const allowed = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp|scripts\/keeper-linkage\.js)$/,
  /^csrc\/.+\.(c|cc|h)$/,
  /^lib\/[^/]+\.(js|mjs|d\.ts|d\.mts)$/,
  /^lib\/wrapper\/[^/]+\.(js|schema\.json)$/,
  /^python\/([a-z_]+\.py|pyproject\.toml|README\.md|mcp_process_manager\/(\w+\.py|py\.typed)|[a-z_]+-stubs\/__init__\.pyi)$/,
  /^prebuilds\/[a-z0-9]+-[a-z0-9]+\/(mcp-process-manager\.glibc\.node|mcp-process-keeper)$/
]
const largestKeeper = 32 * 1024
const isExecutable = ({ mode }) => (mode & 0o111) === 0o111

const tarball = pack('--dry-run')
const files = tarball.files.map(file => file.path)
const keepers = tarball.files.filter(file => file.path.endsWith('/mcp-process-keeper'))
const problems = [
  ...needed.filter(file => !files.includes(file)).map(file => `missing: ${file}`),
  ...files.filter(file => !allowed.some(pattern => pattern.test(file))).map(file => `does not belong: ${file}`),
  ...keepers.filter(file => !isExecutable(file)).map(file => `not executable: ${file.path}`),
  ...keepers.filter(({ size }) => size > largestKeeper).map(file => `not small: ${file.path}, ${file.size} bytes`)
]

// Every path that package.json promises exists.
function targets (entry) {
  return typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(targets)
}
const manifest = require(path.join(root, 'package.json'))
for (const target of targets(manifest.exports)) {
  if (!files.includes(target.replace(/^\.\//, ''))) problems.push(`exported but not packed: ${target}`)
}

console.log(`${files.length} files, ${tarball.size} bytes packed`)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0
