'use strict'

// Marks whatever the tests start: a process that still carries the mark when
// all tests are over was left behind. The workers themselves are not marked,
// since /proc/PID/environ shows what a program was started with.

process.env.PM_TEST_COOKIE = process.env.PM_TEST_RUN

// Under ASan node was started with the sanitizer's runtime preloaded. What the
// tests start must not be, except for a node that loads the addon itself.
if (process.env.PM_TEST_ASAN) {
  process.env.PM_TEST_PRELOAD = process.env.LD_PRELOAD
  delete process.env.LD_PRELOAD
}
