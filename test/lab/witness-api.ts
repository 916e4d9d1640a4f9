/** What the witness reports about itself and its cluster, asked over its HTTP API from its own host. */
import type { ClusterView, EventView, NodeInstanceView } from '../../shared/protocol/view.ts'
import { cluster, isInstance, type LabNode } from './address-plan.ts'
import { witnessServerName } from '../../shared/identity/identity.ts'
import { adminFolder } from './daemon-config.ts'
import { type NamespaceHost } from './namespace-host.ts'

const asAdmin = [
  ...['--max-time', '2', '--connect-to', '::127.0.0.1:7400'],
  ...['--cert', `${adminFolder}/identity.pem`, '--cacert', `${adminFolder}/authority.pem`],
]

/** Null: the witness does not answer. */
export async function clusterView(witness: NamespaceHost): Promise<ClusterView | null> {
  return (await ask(witness, `/api/v1/clusters/${cluster}`)) as ClusterView | null
}

/** The events that the witness keeps of the cluster, oldest first. */
export async function clusterEvents(witness: NamespaceHost): Promise<readonly EventView[]> {
  const answer = await ask(witness, `/api/v1/clusters/${cluster}/events`)
  const events = (
    Array.isArray(answer) ? answer : ((answer as { events?: unknown } | null)?.events ?? [])
  ) as readonly EventView[]
  return [...events].sort((one, other) => one.id - other.id)
}

/**
 * Orders a drill as `witnessctl drill` does.
 * @throws Error if the witness refuses
 */
export async function orderDrill(
  witness: NamespaceHost,
  { node, includingHolder }: { node: LabNode; includingHolder: boolean },
): Promise<void> {
  const path = `/api/v1/clusters/${cluster}/nodes/${node}/drill?including-holder=${includingHolder}`
  const { code, stdout } = await witness.tryRun(
    'curl',
    ...['-s', '--fail-with-body', '-X', 'POST', ...asAdmin],
    `https://${witnessServerName}${path}`,
  )
  if (code !== 0) throw new Error(`the witness refused the drill of ${node}: ${stdout}`)
}

/**
 * What the witness has refused since it started, by kind: what did not reach a cluster, and messages. Null: no answer.
 */
export async function refusedCounts(
  witness: NamespaceHost,
): Promise<Readonly<Record<string, number>> | null> {
  const status = (await ask(witness, '/api/v1/clusters')) as {
    refused: Readonly<Record<string, number>>
    clusters: readonly { cluster: string }[]
  } | null
  if (status === null) return null
  const counts: Record<string, number> = { ...status.refused }
  for (const { cluster: name } of status.clusters) {
    const view = (await ask(witness, `/api/v1/clusters/${name}`)) as ClusterView | null
    for (const [kind, count] of Object.entries(view?.refusedMessages ?? {}))
      counts[`message: ${kind}`] = (counts[`message: ${kind}`] ?? 0) + count
  }
  return counts
}

export async function isHealthy(witness: NamespaceHost): Promise<boolean> {
  const { code } = await witness.tryRun('curl', '-skf', '--max-time', '1', 'https://127.0.0.1:7400/healthz')
  return code === 0
}

/** The part of the view that is about the lab's instance on this node. */
export function nodeInstance(view: ClusterView, node: LabNode): NodeInstanceView | null {
  const known = view.nodes.find((each) => each.node === node)
  return known?.instances.find((each) => isInstance(each.instance)) ?? null
}

async function ask(witness: NamespaceHost, path: string): Promise<unknown> {
  const { code, stdout } = await witness.tryRun(
    'curl',
    ...['-sf', ...asAdmin],
    `https://${witnessServerName}${path}`,
  )
  return code === 0 ? (JSON.parse(stdout) as unknown) : null
}
