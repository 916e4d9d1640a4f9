/** What the witness reports about the cluster, asked as an admin asks: with witnessctl on the witness host. */
import type { ClusterView, EventView } from '../../shared/protocol/view.ts'
import { cluster, instance, nodes, type LabNode } from '../lab/address-plan.ts'
import { nodeInstance } from '../lab/witness-api.ts'
import { type HostsLab } from './hosts-lab.ts'
import { type SystemdHost } from './systemd-host.ts'

/**
 * Null: the witness does not answer. The exit code shows the level of the verdict, so any exit code may come with an
 * answer.
 */
export async function clusterView(witness: SystemdHost): Promise<ClusterView | null> {
  const { stdout } = await witness.tryRun('witnessctl', 'status', cluster, '--json')
  return stdout.startsWith('{') ? (JSON.parse(stdout) as ClusterView) : null
}

/** The events that the witness keeps of the cluster, oldest first. */
export async function clusterEvents(witness: SystemdHost): Promise<readonly EventView[]> {
  const { stdout } = await witness.tryRun('witnessctl', 'events', cluster, '--json', '--limit', '500')
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as EventView)
}

export interface Roles {
  readonly holder: LabNode
  readonly standby: LabNode
}

/**
 * Who holds and who stands by, if everything is settled: one VIP, everybody connected, keepalived ready on both nodes.
 * Null: not settled.
 */
export async function settledRoles(lab: HostsLab): Promise<Roles | null> {
  const [owner, ...others] = lab.owners()
  if (owner === undefined || others.length > 0 || !lab.host('witness').hasPower) return null
  const view = await clusterView(lab.host('witness'))
  if (view?.instances.find((each) => each.instance === instance)?.holder !== owner) return null
  const ready = nodes.every((node) => {
    const connected = view.nodes.some((each) => each.node === node && each.connected)
    const known = nodeInstance(view, node)
    const wanted = node === owner ? 'holding MASTER' : 'standby BACKUP'
    return connected && known !== null && `${known.phase} ${known.keepalived}` === wanted
  })
  const standby = nodes.find((node) => node !== owner)
  return ready && standby !== undefined ? { holder: owner, standby } : null
}
