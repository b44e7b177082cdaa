'use strict'

/* How much is measured. BENCH_QUICK=1 only shows that every program works: its
 * figures mean nothing. BENCH_ROUNDS sets the rounds of either. */

const full = {
  rounds: 5,
  memory: { small: 93, medium: 1126, large: 4300 }, // resident MiB of the host
  spawns: { small: 60, medium: 16, large: 8 },
  warmup: { small: 10, medium: 3, large: 2 },
  pass: { mebibytes: 1024, repeats: 7 },
  children: { few: 100, many: 1000, most: 3500 },
  probes: 40, // spawns and exits among them
  runs: 100, // of the child that crashes
  cycles: 2000,
  output: { bulk: 200e6, single: 24e6 }, // bytes
  flood: { children: 10, warmup: 250, time: 3000 }, // ms
  messages: {
    small: { warmup: 10000, count: 40000 },
    single: { warmup: 2000, count: 15000 },
    medium: { warmup: 100, count: 1000 },
    large: { warmup: 3, count: 10 }
  },
  logs: { calls: 1000 },
  metrics: { samples: 15, calls: 1000, trees: { count: 100, processes: 3, interval: 5000, samples: 3 } },
  python: { starts: 7, warmup: 500, calls: 5000, events: 200000 }
}

const quick = {
  rounds: 1,
  memory: { small: 93, medium: 150, large: 250 },
  spawns: { small: 6, medium: 4, large: 4 },
  warmup: { small: 2, medium: 1, large: 1 },
  pass: { mebibytes: 64, repeats: 3 },
  children: { few: 20, many: 60, most: 120 },
  probes: 5,
  runs: 10,
  cycles: 60,
  output: { bulk: 4e6, single: 8e5 },
  flood: { children: 3, warmup: 50, time: 200 },
  messages: {
    small: { warmup: 100, count: 1000 },
    single: { warmup: 20, count: 200 },
    medium: { warmup: 2, count: 20 },
    large: { warmup: 1, count: 3 }
  },
  logs: { calls: 20 },
  metrics: { samples: 3, calls: 20, trees: { count: 10, processes: 3, interval: 200, samples: 2 } },
  python: { starts: 1, warmup: 10, calls: 64, events: 1000 }
}

const isQuick = process.env.BENCH_QUICK === '1'
const profile = isQuick ? quick : full
const rounds = process.env.BENCH_ROUNDS === undefined ? profile.rounds : Number(process.env.BENCH_ROUNDS)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`BENCH_ROUNDS must be a positive integer; got ${rounds}`)

/** "93 MiB", "4.2 GiB" */
function memoryName(mebibytes) {
  return mebibytes < 1024 ? `${mebibytes} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`
}

module.exports = { ...profile, rounds, isQuick, memoryName }
