/** When the lab is quiet enough to begin, and when it is quiet again. */
import { isInstance, nodes, type LabNode } from './address-plan.ts'
import { type ClusterUnderTest } from './cluster-under-test.ts'
import { keepalivedRuns } from './keepalived-service.ts'
import { pause, until } from './pause.ts'
import { ownershipFigures } from './vip-ownership.ts'
import { clusterView, isHealthy, nodeInstance } from './witness-api.ts'

/** Who has the VIP now. */
export function ownersNow(cluster: ClusterUnderTest): readonly LabNode[] {
  return ownershipFigures(cluster.observer.changes(), { fromMs: 0, toMs: Date.now() }).ownersAtEnd
}

/** Waits until the node alone has the VIP, the witness agrees, and the client is answered by it. */
export async function untilOwner(cluster: ClusterUnderTest, node: LabNode): Promise<void> {
  await until(
    `${node} alone has the VIP and serves the client`,
    { withinMs: 30_000, everyMs: 100 },
    async () => {
      const owners = ownersNow(cluster)
      if (owners.length !== 1 || owners[0] !== node) return null
      if (cluster.client.attempts().at(-1)?.answeredBy !== node) return null
      if (cluster.setup.arbiter === 'none') return true
      const view = await clusterView(cluster.host('witness'))
      return view?.instances.find((each) => isInstance(each.instance))?.holder === node ? true : null
    },
  )
}

/** Waits until keepalived has given the VIP to the node and the client is answered by it, whatever the product says. */
export async function untilServed(cluster: ClusterUnderTest, node: LabNode): Promise<void> {
  await until(`${node} serves the client`, { withinMs: 30_000, everyMs: 100 }, () => {
    const owners = ownersNow(cluster)
    const served = cluster.client.attempts().at(-1)?.answeredBy === node
    return Promise.resolve(owners.length === 1 && owners[0] === node && served ? true : null)
  })
}

export async function untilWitnessAnswers(cluster: ClusterUnderTest): Promise<void> {
  await until('the witness answers /healthz', { withinMs: 20_000, everyMs: 50 }, async () =>
    (await isHealthy(cluster.host('witness'))) ? true : null,
  )
}

/** So that lb01 is MASTER before lb02 would be, even with the same priority and on a busy machine. */
const headStartMs = 1500

/** The everyday start: lb01 is MASTER, lb02 BACKUP, and everybody knows. */
export async function startWarm(cluster: ClusterUnderTest): Promise<void> {
  await cluster.startProduct()
  await cluster.startKeepalived('lb01')
  // With `gate: strict` whoever asks for the lease gets it, and keepalived has no say.
  await (cluster.setup.gate === 'strict' ? untilOwner(cluster, 'lb01') : pause(headStartMs))
  await cluster.startKeepalived('lb02')
  await untilOwner(cluster, 'lb01')
  await untilSettled(cluster)
}

export async function untilSettled(cluster: ClusterUnderTest): Promise<void> {
  await until('the cluster is settled', { withinMs: 30_000, everyMs: 100 }, async () =>
    (await isSettled(cluster)) ? true : null,
  )
}

/** One owner, keepalived on both nodes, and each agent either holding or standing by. */
export async function isSettled(cluster: ClusterUnderTest): Promise<boolean> {
  if (ownersNow(cluster).length !== 1) return false
  for (const node of nodes) if (!(await keepalivedRuns(cluster.host(node)))) return false
  if (cluster.setup.arbiter === 'none') return true
  const view = await clusterView(cluster.host('witness'))
  if (view === null) return false
  const standingBy =
    cluster.setup.gate === 'strict'
      ? ({ phase: 'gated', keepalived: 'FAULT' } as const)
      : ({ phase: 'standby', keepalived: 'BACKUP' } as const)
  return nodes.every((node) => {
    const known = nodeInstance(view, node)
    return (
      (known?.phase === 'holding' && known.keepalived === 'MASTER') ||
      (known?.phase === standingBy.phase && known.keepalived === standingBy.keepalived)
    )
  })
}
