'use strict'

/* What is promised, as ratios of figures of the same run. ours and against name
 * a figure: contender, setting, metric; against may also be a plain number,
 * for what is no time. ratio is the most that is allowed, or, where more is
 * better, least the least. */

const { OURS, GROUP, NODE, CLONE, READLINE, EXECA, RING, LOOP, OURS_RAW, SDK, PIDUSAGE, PIDTREE, KEPT_OPEN, JSON_ECHO } = require('./contenders')
const { memory, children, metrics, isQuick, memoryName } = require('./profile')
const { EOF_FIRST } = require('../stop')
const { BULK, SINGLE } = require('../capture')
const { MANY, ONE, MEDIUM, LARGE } = require('../messages')

const [small, medium, large] = [memory.small, memory.medium, memory.large].map(memoryName)
const [few, many, most] = [children.few, children.many, children.most].map(String)

/** What a run may miss a goal by before it counts: machines are noisy. */
const slack = 1.25

/** The same figure of somebody else. */
const versus = (contender, at, metric, ours = OURS) => ({ ours: [ours, at, metric], against: [contender, at, metric] })

/** It costs the same whatever the host's size. */
const flat = (ours) => ({
  name: `${ours === OURS ? 'spawn blocks the loop' : 'group'}: ${large} / ${small}`,
  ours: [ours, large, 'block'],
  against: [ours, small, 'block'],
  ratio: 1.5
})

const goals = {
  __proto__: null,

  /* A process without a keeper is held to more than one with. */
  'spawn-block': [
    { name: `spawn blocks the loop, ${small}, / child_process`, ...versus(NODE, small, 'block'), ratio: 0.2 },
    { name: `spawn blocks the loop, ${small}, / C clone`, ...versus(CLONE, small, 'block'), ratio: 4 },
    flat(OURS),
    { name: `group: ${small}, / child_process`, ...versus(NODE, small, 'block', GROUP), ratio: 0.12 },
    { name: `group: ${medium}, / child_process`, ...versus(NODE, medium, 'block', GROUP), ratio: 0.006 },
    { name: `group: ${large}, / child_process`, ...versus(NODE, large, 'block', GROUP), ratio: 0.002 },
    { name: `group: ${small}, / C clone`, ...versus(CLONE, small, 'block', GROUP), ratio: 2.5 },
    flat(GROUP),
    {
      name: 'write pass after a spawn / without one',
      ours: [OURS, 'write pass', 'after'],
      against: [OURS, 'write pass', 'plain'],
      ratio: 1.2
    }
  ],

  'spawn-exit': [
    { name: `spawn to exit event, ${small}, / C clone`, ...versus(CLONE, small, 'exit'), ratio: 2.5 },
    { name: `group: ${small}, / child_process`, ...versus(NODE, small, 'exit', GROUP), ratio: 0.45 },
    { name: `group: ${medium}, / child_process`, ...versus(NODE, medium, 'exit', GROUP), ratio: 0.025 },
    { name: `group: ${small}, / C clone`, ...versus(CLONE, small, 'exit', GROUP), ratio: 1.6 }
  ],

  scale: [
    { name: `spawn with ${many} alive / child_process`, ...versus(NODE, many, 'at'), ratio: 0.5 },
    { name: `group: spawn with ${many} alive / child_process`, ...versus(NODE, many, 'at', GROUP), ratio: 0.3 },
    {
      name: `group: the last spawns of ${most} / the first`,
      ours: [GROUP, most, 'last'],
      against: [GROUP, most, 'first'],
      ratio: 1.5
    },
    { name: `group: CPU of one exit among ${many} / child_process`, ...versus(NODE, many, 'exitCpu', GROUP), ratio: 0.12 },
    {
      name: `group: CPU of one exit among ${most} / among ${few}`,
      ours: [GROUP, most, 'exitCpu'],
      against: [GROUP, few, 'exitCpu'],
      ratio: 1.5
    },
    { name: `KiB of host memory per idle child of ${many}`, ours: [OURS, many, 'kibibytes'], against: 1, ratio: 8 }
  ],

  restart: [
    { name: 'group: crash to running again / child_process', ...versus(NODE, small, 'restart', GROUP), ratio: 0.4 },
    { name: 'group: crash to running again / C clone', ...versus(CLONE, small, 'restart', GROUP), ratio: 1.6 }
  ],

  keeper: [
    { name: 'KiB of memory (PSS) of a keeper', ours: [OURS, 'keeper', 'pss'], against: 100, ratio: 1 },
    { name: 'us that it adds to a start', ours: [OURS, 'keeper', 'added'], against: 500, ratio: 1 }
  ],

  stop: [
    { name: 'slowest stop, ms', ours: [OURS, 'stop', 'slowest'], against: 2100, ratio: 1 },
    { name: 'slowest stop with the end of stdin first, ms', ours: [EOF_FIRST, 'stop', 'slowest'], against: 4100, ratio: 1 },
    { name: 'there when stops settled', ours: [OURS, 'stop', 'atOnce'], against: 1, ratio: 0 },
    { name: 'the same with the end of stdin first', ours: [EOF_FIRST, 'stop', 'atOnce'], against: 1, ratio: 0 }
  ],

  leak: [
    { name: 'descriptors left behind', ours: [OURS, 'cycles', 'descriptors'], against: 1, ratio: 0 },
    { name: 'zombies left behind', ours: [OURS, 'cycles', 'zombies'], against: 1, ratio: 0 },
    { name: 'MiB that the second half grows', ours: [OURS, 'cycles', 'growth'], against: 1, ratio: 2 }
  ],

  capture: [
    { name: `CPU, ${BULK}, / child_process`, ...versus(NODE, BULK, 'cpu'), ratio: 0.3 },
    { name: `CPU, ${BULK}, / C ring`, ...versus(RING, BULK, 'cpu'), ratio: 2 },
    { name: `MB/s, ${BULK}, / child_process`, ...versus(NODE, BULK, 'rate'), least: 2.5 },
    { name: `CPU, ${SINGLE}, / child_process`, ...versus(NODE, SINGLE, 'cpu'), ratio: 0.12 },
    { name: `MB/s, ${SINGLE}, / child_process`, ...versus(NODE, SINGLE, 'rate'), least: 2 }
  ],

  listeners: [
    { name: 'CPU, stdout listener / child_process', ...versus(NODE, 'stdout', 'cpu'), ratio: 0.8 },
    { name: 'CPU, line listener / readline', ...versus(READLINE, 'line', 'cpu'), ratio: 0.4 },
    { name: 'CPU, line listener / execa', ...versus(EXECA, 'line', 'cpu'), ratio: 0.1 }
  ],

  flood: [
    { name: 'timer of 1 ms, p99, / child_process', ...versus(NODE, 'flood', 'p99'), ratio: 0.05 },
    { name: 'timer of 1 ms, p99, / C loop', ...versus(LOOP, 'flood', 'p99'), ratio: 1.5 },
    { name: 'MiB that the host grows by', ours: [OURS, 'flood', 'growth'], against: 1, ratio: 8 }
  ],

  messages: [
    { name: `messages/s, ${MANY}, / child_process`, ...versus(NODE, MANY, 'rate'), least: 1.4 },
    { name: `messages/s, ${MANY}, / MCP SDK`, ...versus(SDK, MANY, 'rate'), least: 1.7 },
    { name: `raw: messages/s, ${MANY}, / child_process with JSON`, ...versus(NODE, MANY, 'rate', OURS_RAW), least: 3 },
    { name: `p50, ${ONE}, / child_process`, ...versus(NODE, ONE, 'p50'), ratio: 0.85 },
    { name: `p50, ${ONE}, / MCP SDK`, ...versus(SDK, ONE, 'p50'), ratio: 0.75 },
    { name: `CPU, ${LARGE}, / MCP SDK`, ...versus(SDK, LARGE, 'cpu'), ratio: 0.6 },
    {
      name: `p50, ${LARGE} / ${MEDIUM}`,
      ours: [OURS, LARGE, 'p50'],
      against: [OURS, MEDIUM, 'p50'],
      ratio: 1.5 * 64
    }
  ],

  logs: [
    { name: 'the last lines: a tenth of them, / child_process', ...versus(NODE, 'logs', 'few'), ratio: 2 },
    { name: 'the last lines: all, / child_process', ...versus(NODE, 'logs', 'many'), ratio: 2 }
  ],

  metrics: [
    { name: 'CPU of a sample that nobody asked for / C pread', ours: [OURS, many, 'unheard'], against: [KEPT_OPEN, many, 'cpu'], ratio: 1.4 },
    { name: "of it the loop's thread / pidusage", ours: [OURS, many, 'unheardLoop'], against: [PIDUSAGE, many, 'loop'], ratio: 0.01 },
    { name: 'us that the loop is held up at a time', ours: [OURS, many, 'unheardBusy'], against: 1000, ratio: 1 },
    { name: 'for a listener: CPU / pidusage', ours: [OURS, many, 'heard'], against: [PIDUSAGE, many, 'cpu'], ratio: 0.25 },
    { name: "of it the loop's thread / pidusage", ours: [OURS, many, 'heardLoop'], against: [PIDUSAGE, many, 'loop'], ratio: 0.01 },
    { name: 'us that the loop is held up at a time', ours: [OURS, many, 'heardBusy'], against: 1000, ratio: 1 },
    { name: `with objects of all ${many}: CPU / pidusage`, ...versus(PIDUSAGE, many, 'cpu'), ratio: 0.25 },
    { name: "of it the loop's thread / pidusage", ...versus(PIDUSAGE, many, 'loop'), ratio: 0.01 },
    { name: 'us that the loop is held up at a time', ours: [OURS, many, 'busy'], against: 1000, ratio: 1 },
    { name: `${metrics.trees.count} trees of ${metrics.trees.processes} / the same reads in C`, ...versus(KEPT_OPEN, 'trees', 'cpu'), ratio: 1.4 },
    { name: `a tree of ${many} that is known / pidtree`, ...versus(PIDTREE, 'tree', 'again'), ratio: 0.1 },
    { name: `a tree of ${many} at first / pidtree`, ...versus(PIDTREE, 'tree', 'tree'), ratio: 0.1 },
    { name: 'us of a status', ours: [OURS, 'status', 'status'], against: 20, ratio: 1 },
    { name: 'a status with a sample / the same reads in C', ...versus(KEPT_OPEN, 'status', 'fresh'), ratio: 1.4 }
  ],

  python: [
    { name: 'a status from Python / a bare echo of JSON', ...versus(JSON_ECHO, 'python', 'p50'), ratio: 1.5 }
  ],

  orphans: [
    { name: 'processes left behind by any way', ours: [OURS, 'matrix', 'left'], against: 1, ratio: 0 },
    { name: 'ms from the host gone to the tree gone', ours: [OURS, 'matrix', 'quick'], against: 500, ratio: 1 },
    ...(isQuick ? [] : [{ name: 'the same where SIGTERM is ignored', ours: [OURS, 'matrix', 'slow'], against: 2500, ratio: 1 }])
  ]
}

/**
 * @param {string} question
 * @param {(contender: string, at: string, metric: string) => number | undefined} look
 * @returns {object[]} name, ours, against, ratio (as measured), goal (as text), verdict
 */
function check(question, look) {
  return goals[question].map(({ name, ours, against, ratio: most, least }) => {
    const mine = look(...ours)
    const other = typeof against === 'number' ? against : look(...against)
    const ratio = mine / other
    const goal = least === undefined ? `<= ${most}` : `>= ${least}`
    const verdict = least === undefined ? judge(ratio, most) : judge(1 / ratio, 1 / least)
    return { name, ours: mine, against: other, ratio, goal, verdict }
  })
}

/* What is no number has not been measured, and so is missed. */
function judge(ratio, most) {
  if (ratio <= most) return 'met'
  return ratio <= most * slack ? 'within 25 %' : 'MISSED'
}

module.exports = { check }
