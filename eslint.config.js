'use strict'

const js = require('@eslint/js')
const globals = require('globals')

module.exports = [
  { ignores: ['build/', 'coverage/', 'node_modules/', 'prebuilds/', 'test/native/build/', 'bench/node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: globals.node },
    rules: {
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: ['error', 'always'],
      'max-lines': ['error', { max: 400, skipBlankLines: true }],
      semi: ['error', 'never'],
      quotes: ['error', 'single', { avoidEscape: true }]
    }
  },
  { files: ['**/*.mjs'], languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: globals.node } },
  { files: ['test/**/*.js'], languageOptions: { globals: globals.jest } }
]
