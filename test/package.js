'use strict'

// Checks what npm would publish: the files it has to hold, and none it must not.

const { execFileSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..')
const needed = [
  'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'binding.gyp', 'csrc/pm.h', 'csrc/binding.cc',
  'lib/process-manager.js', 'lib/process-manager.mjs', 'lib/process-manager.d.ts', 'lib/process-manager.d.mts',
  'lib/process-metrics.js', 'lib/process-metrics.mjs', 'lib/process-metrics.d.ts', 'lib/process-metrics.d.mts'
]
const allowed = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp|csrc\/.+\.(c|cc|h)|lib\/[^/]+\.(js|mjs|d\.ts|d\.mts))$/

const [tarball] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' }))
const files = tarball.files.map(file => file.path)
const problems = [
  ...needed.filter(file => !files.includes(file)).map(file => `missing: ${file}`),
  ...files.filter(file => !allowed.test(file)).map(file => `does not belong: ${file}`)
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
