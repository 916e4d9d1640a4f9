/** `npm run walk`: see --help. */
import { parseArgs } from 'node:util'
import { faultKinds, type FaultKind } from './choices.ts'
import { describeWalk } from './report.ts'
import { walk } from './walk.ts'

const usage = `usage: npm run walk -- [--faults N] [--kinds a,b,…] [--only a,b,…] [--depth N] [--minutes N] [--from steady|start] [--heal-each N]

Visits every state of one arbiter and two guards that can be reached with so many faults, nearest first.
  --faults N     how many faults may come on one way (1)
  --kinds …      which kinds: ${faultKinds.join(', ')} (all)
  --only a,b,…   only those faults whose name has one of these words, as in "promote lb02"
  --depth N      how many choices a way may have (unbounded)
  --minutes N    when to stop (10)
  --from …       from when one node holds steadily, or from everything's first start (steady)
  --heal-each N  of so many states one is healed and watched until one node owns the VIP; 0: none (50)`

function fail(problem: string): never {
  console.error(`${problem}\n\n${usage}`)
  process.exit(2)
}

function numberOf(option: string, value: string | undefined, standard: number): number {
  if (value === undefined) return standard
  const number = Number(value)
  return Number.isFinite(number) && number >= 0 ? number : fail(`--${option} wants a number, not "${value}"`)
}

function kindsOf(value: string | undefined): ReadonlySet<FaultKind> {
  if (value === undefined) return new Set(faultKinds)
  const wanted = value.split(',')
  const unknown = wanted.find((word) => !faultKinds.some((kind) => kind === word))
  if (unknown !== undefined) fail(`--kinds: there is no "${unknown}"`)
  return new Set(faultKinds.filter((kind) => wanted.includes(kind)))
}

const { values } = parseArgs({
  options: {
    faults: { type: 'string' },
    kinds: { type: 'string' },
    only: { type: 'string' },
    depth: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string' },
    'heal-each': { type: 'string' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) {
  console.log(usage)
  process.exit(0)
}
const { from = 'steady' } = values
if (from !== 'steady' && from !== 'start') fail(`--from is "steady" or "start", not "${from}"`)

const startedAtMs = performance.now()
const bounds = {
  faults: numberOf('faults', values.faults, 1),
  kinds: kindsOf(values.kinds),
  only: values.only?.split(',') ?? null,
  depth: numberOf('depth', values.depth, Infinity),
  deadlineMs: startedAtMs + numberOf('minutes', values.minutes, 10) * 60_000,
  from,
  healEach: numberOf('heal-each', values['heal-each'], 50),
  nowMs: () => performance.now(),
} as const
const outcome = walk(bounds)
const memoryMb = Math.round(process.memoryUsage().rss / 1e6)
console.log(describeWalk(bounds, outcome, { tookMs: performance.now() - startedAtMs, memoryMb }))
process.exitCode = outcome.finding === null ? 0 : 1
