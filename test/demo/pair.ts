/** One of the demo's two labs: the vrrp-block scenario of the lab, told as it goes. */
import { nodes } from '../lab/address-plan.ts'
import { type Arbiter } from '../lab/arbiter.ts'
import { type ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { LabFolder } from '../lab/lab-folder.ts'
import { type MeasuredRun } from '../lab/measured-run.ts'
import { runScenario } from '../lab/scenario-run.ts'
import { admitVrrp, dropVrrp, vrrpBlock } from '../lab/scenarios/vrrp-block.ts'
import { startWarm } from '../lab/steady-state.ts'
import { type OwnershipChange } from '../lab/vip-ownership.ts'
import { type Attempt } from '../lab/web-client.ts'

/** Long enough for the loser to come back, and to see a client that stays unanswered. */
const watchAfterHealMs = 12_000

export interface PairResult {
  readonly run: MeasuredRun
  readonly attempts: readonly Attempt[]
  /** The lab as the run left it; it stays up until `release`. */
  readonly cluster: ClusterUnderTest
}

/** What the narrator learns while the pair runs. */
export interface Listener {
  warm(arbiter: Arbiter): void
  blocked(arbiter: Arbiter, atMs: number): void
  change(arbiter: Arbiter, change: OwnershipChange): void
  admitted(arbiter: Arbiter): void
}

export interface Pair {
  readonly measured: Promise<PairResult>
  /** Lets the lab end. */
  readonly release: () => void
  /** Settles when everything of the lab is gone. */
  readonly ended: Promise<unknown>
}

/** @param together settles when all pairs are warm, so that their faults begin at the same time. */
export function startPair(options: {
  arbiter: Arbiter
  product: string
  listener: Listener
  together: () => Promise<void>
}): Pair {
  const { arbiter, product, listener, together } = options
  const released = deferred<undefined>()
  const measured = deferred<PairResult>()
  let run: MeasuredRun | null = null
  const watch: { timer: NodeJS.Timeout | null } = { timer: null }
  const ended = runScenario({
    arbiter,
    product,
    pace: 'full',
    number: 1,
    folder: new LabFolder('disk'),
    scenario: {
      ...vrrpBlock,
      healedMs: watchAfterHealMs,
      prepare: async (cluster) => {
        await startWarm(cluster)
        listener.warm(arbiter)
        await together()
      },
      begin: async (cluster) => {
        listener.blocked(arbiter, Date.now())
        watch.timer = tellChanges(cluster, (change) => listener.change(arbiter, change))
        await dropVrrp(cluster, nodes)
      },
      heal: async (cluster) => {
        listener.admitted(arbiter)
        await admitVrrp(cluster, nodes)
      },
    },
    settle: (result) => (run = result),
    linger: async (cluster) => {
      if (watch.timer !== null) clearInterval(watch.timer)
      if (run !== null) measured.settle({ run, cluster, attempts: cluster.client.attempts() })
      await released.promise
    },
  }).finally(() => {
    if (watch.timer !== null) clearInterval(watch.timer)
  })
  ended.catch((error: unknown) => measured.fail(error))
  return { measured: measured.promise, release: () => released.settle(undefined), ended }
}

/** Reports every change from now on, soon after it happened. */
function tellChanges(cluster: ClusterUnderTest, tell: (change: OwnershipChange) => void): NodeJS.Timeout {
  let told = cluster.observer.changes().length
  return setInterval(() => {
    const changes = cluster.observer.changes()
    for (const change of changes.slice(told)) tell(change)
    told = changes.length
  }, 20)
}

function deferred<T>(): {
  readonly promise: Promise<T>
  readonly settle: (value: T) => void
  readonly fail: (error: unknown) => void
} {
  let settle: (value: T) => void = () => undefined
  let fail: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = resolve
    fail = reject
  })
  return { promise, settle, fail }
}
