'use strict'

/* What is promised, as ratios of figures of the same run. ours and against name
 * a figure: contender, setting, metric; against may also be a plain number,
 * for what is no time. ratio is the most that is allowed. */

const { OURS, NODE, CLONE } = require('./contenders')
const { memory, children, isQuick, memoryName } = require('./profile')

const [small, medium, large] = [memory.small, memory.medium, memory.large].map(memoryName)
const [few, many, most] = [children.few, children.many, children.most].map(String)

/** What a run may miss a goal by before it counts: machines are noisy. */
const slack = 1.25

/** The same figure of somebody else. */
const versus = (contender, at, metric) => ({ ours: [OURS, at, metric], against: [contender, at, metric] })

const goals = {
  __proto__: null,

  'spawn-block': [
    { name: `spawn blocks the loop, ${small}, / child_process`, ...versus(NODE, small, 'block'), ratio: 0.12 },
    { name: `spawn blocks the loop, ${medium}, / child_process`, ...versus(NODE, medium, 'block'), ratio: 0.006 },
    { name: `spawn blocks the loop, ${large}, / child_process`, ...versus(NODE, large, 'block'), ratio: 0.002 },
    { name: `spawn blocks the loop, ${small}, / C clone`, ...versus(CLONE, small, 'block'), ratio: 2.5 },
    {
      name: `spawn blocks the loop, ${large} / ${small}`,
      ours: [OURS, large, 'block'],
      against: [OURS, small, 'block'],
      ratio: 1.5
    },
    {
      name: 'write pass after a spawn / without one',
      ours: [OURS, 'write pass', 'after'],
      against: [OURS, 'write pass', 'plain'],
      ratio: 1.2
    }
  ],

  'spawn-exit': [
    { name: `spawn to exit event, ${small}, / child_process`, ...versus(NODE, small, 'exit'), ratio: 0.45 },
    { name: `spawn to exit event, ${medium}, / child_process`, ...versus(NODE, medium, 'exit'), ratio: 0.025 },
    { name: `spawn to exit event, ${small}, / C clone`, ...versus(CLONE, small, 'exit'), ratio: 1.6 }
  ],

  scale: [
    { name: `spawn with ${many} alive / child_process`, ...versus(NODE, many, 'at'), ratio: 0.3 },
    {
      name: `the last spawns of ${most} / the first`,
      ours: [OURS, most, 'last'],
      against: [OURS, most, 'first'],
      ratio: 1.5
    },
    { name: `CPU of one exit among ${many} / child_process`, ...versus(NODE, many, 'exitCpu'), ratio: 0.12 },
    {
      name: `CPU of one exit among ${most} / among ${few}`,
      ours: [OURS, most, 'exitCpu'],
      against: [OURS, few, 'exitCpu'],
      ratio: 1.5
    },
    { name: `KiB of host memory per idle child of ${many}`, ours: [OURS, many, 'kibibytes'], against: 1, ratio: 8 }
  ],

  restart: [
    { name: 'crash to running again / child_process', ...versus(NODE, small, 'restart'), ratio: 0.4 },
    { name: 'crash to running again / C clone', ...versus(CLONE, small, 'restart'), ratio: 1.6 }
  ],

  leak: [
    { name: 'descriptors left behind', ours: [OURS, 'cycles', 'descriptors'], against: 1, ratio: 0 },
    { name: 'zombies left behind', ours: [OURS, 'cycles', 'zombies'], against: 1, ratio: 0 },
    { name: 'MiB that the second half grows', ours: [OURS, 'cycles', 'growth'], against: 1, ratio: 2 }
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
 * @returns {object[]} name, ours, against, ratio (as measured), goal, verdict
 */
function check(question, look) {
  return goals[question].map(({ name, ours, against, ratio: goal }) => {
    const mine = look(...ours)
    const other = typeof against === 'number' ? against : look(...against)
    const ratio = mine / other
    return { name, ours: mine, against: other, ratio, goal, verdict: judge(ratio, goal) }
  })
}

/* What is no number has not been measured, and so is missed. */
function judge(ratio, goal) {
  if (ratio <= goal) return 'met'
  return ratio <= goal * slack ? 'within 25 %' : 'MISSED'
}

module.exports = { check }
