'use strict'

module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/test/{unit,faults,real,orphans}/**/*.test.js'],
  globalSetup: '<rootDir>/test/setup/global-setup.js',
  globalTeardown: '<rootDir>/test/setup/global-teardown.js',
  setupFiles: ['<rootDir>/test/setup/environment.js'],
  // A machine with two cores runs real processes beside the tests.
  maxWorkers: 2,
  // Of test.concurrent in one file: hosts and trees that mostly wait.
  maxConcurrency: 8,
  testTimeout: 60000
}
