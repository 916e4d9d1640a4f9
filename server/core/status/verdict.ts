/** The one sentence about a cluster, and its level: the first line of `witnessctl status`. */
import type {
  ClusterView,
  InstanceView,
  NodeInstanceView,
  NodeView,
  PairFinding,
  Situation,
} from '../../../shared/protocol/view.ts'
import { labelOf } from '../../../shared/protocol/view.ts'
import { assertNever } from '../../../shared/assert-never.ts'

export function verdictOn({
  instances,
  nodes,
  pair,
  witnessWarnings,
}: {
  readonly instances: readonly InstanceView[]
  readonly nodes: readonly NodeView[]
  readonly pair: readonly PairFinding[]
  readonly witnessWarnings: readonly string[]
}): ClusterView['verdict'] {
  const critical = instances.find(({ situation, holder }) => levelOf(situation, holder) === 'critical')
  if (critical !== undefined) return { level: 'critical', text: critical.text }
  const failedFence = nodes
    .flatMap((node) => node.instances.map((instance) => ({ node: node.node, ...instance })))
    .find(({ fence, phase }) => phase === 'fencing' && fence?.result === 'failed')
  if (failedFence !== undefined)
    return { level: 'critical', text: `${failedFence.node} cannot release the VIP: ${failedFence.why}` }
  const [worst] = pair
  if (worst?.level === 'critical') return { level: 'critical', text: worst.text }
  const warning = instances.find(({ situation, holder }) => levelOf(situation, holder) === 'warning')
  if (warning !== undefined) return { level: 'warning', text: warning.text }
  // Before what the nodes see of it: a difference of the configurations explains why no advert arrives.
  if (worst?.level === 'warning') return { level: 'warning', text: worst.text }
  const held = nodes.find((node) => node.instances.some(({ allowed }) => cannotTake(allowed)))
  if (held !== undefined) {
    const why = held.instances.find(({ allowed }) => cannotTake(allowed))?.why ?? ''
    return { level: 'warning', text: `${held.node} cannot take over now: ${why}` }
  }
  const [ofWitness] = witnessWarnings
  if (ofWitness !== undefined) return { level: 'warning', text: `witness: ${ofWitness}` }
  const warned = nodes.find((node) => node.warnings.length > 0)
  if (warned !== undefined) return { level: 'warning', text: `${warned.node}: ${warned.warnings[0] ?? ''}` }
  if (instances.length === 0)
    return {
      level: 'warning',
      text: 'No agent has reported a vrrp_instance yet; run "witness-agent doctor" on the nodes.',
    }
  return { level: 'ok', text: instances.map((each) => `${labelOf(each)}: ${each.text}`).join(' ') }
}

function cannotTake(allowed: NodeInstanceView['allowed']): boolean {
  return allowed === 'barred' || allowed === 'fenced' || allowed === 'in a drill'
}

function levelOf(situation: Situation, holder: string | null): 'ok' | 'warning' | 'critical' {
  switch (situation) {
    case 'normal':
      // MASTER without a lease: `alone: keep`, observe mode, or a claim that is being made right now.
      return holder === null ? 'warning' : 'ok'
    case 'dual-master':
    case 'id-conflict':
      return 'critical'
    case 'no-master':
    case 'host-down':
      return holder === null ? 'critical' : 'warning'
    case 'agent-down':
    case 'contested':
    case 'starting':
      return 'warning'
    default:
      return assertNever(situation)
  }
}
