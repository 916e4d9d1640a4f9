/**
 * The fault catalogue of the simulator; docs/FAULTS.md says what is expected under each fault and where it is tested. A
 * fault begins and ends. Its end always leaves the world as an operator would want it (programs run, links are up).
 */
import { assertNever } from '../../../shared/assert-never.ts'
import type { Cluster } from '../run/cluster.ts'
import { nodeNames, witnessHostName } from '../world/names.ts'
import { calmDelayMs } from '../world/network.ts'

export const faultKinds = [
  'vrrp-block',
  'vrrp-block-one-way',
  'cut-link',
  'cut-one-way',
  'isolate',
  'isolate-one-way',
  'unplug',
  'loss',
  'jitter',
  'duplicates',
  'kill-agent',
  'freeze-agent',
  'kill-witness',
  'freeze-witness',
  'kill-keepalived',
  'freeze-keepalived',
  'stop-keepalived',
  'crash-host',
  'freeze-host',
  'clock-jump',
  'disk-slow',
  'disk-full',
  'disk-rollback',
  'stop-fails',
  'stop-hangs',
  'gateway-lost',
  'disk-torn',
  'clone',
  'replay',
  'leave',
  'drill',
  'drill-holder',
  'kill-agent-in-fence',
  'weight-fails',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  readonly where: string
}

type Places = readonly [string, ...string[]]

const [lb01, lb02] = nodeNames
const nodes: Places = nodeNames
const hosts: Places = [lb01, lb02, witnessHostName]
const links: Places = [`${lb01}>${lb02}`, `${lb01}>${witnessHostName}`, `${lb02}>${witnessHostName}`]
const paths: Places = [
  ...[`${lb01}>${lb02}`, `${lb01}>${witnessHostName}`, `${lb02}>${witnessHostName}`],
  ...[`${lb02}>${lb01}`, `${witnessHostName}>${lb01}`, `${witnessHostName}>${lb02}`],
] as unknown as Places

/** Where a fault can happen. */
export function placesOf(kind: FaultKind): Places {
  switch (kind) {
    case 'vrrp-block':
    case 'loss':
    case 'jitter':
    case 'duplicates':
      return ['everywhere']
    case 'vrrp-block-one-way':
      return [`${lb01}>${lb02}`, `${lb02}>${lb01}`]
    case 'cut-link':
      return links
    case 'cut-one-way':
      return paths
    case 'isolate':
    case 'crash-host':
    case 'freeze-host':
    case 'clock-jump':
    case 'disk-slow':
    case 'disk-full':
    case 'disk-rollback':
    case 'disk-torn':
      return hosts
    case 'isolate-one-way':
    case 'unplug':
    case 'kill-agent':
    case 'freeze-agent':
    case 'kill-keepalived':
    case 'freeze-keepalived':
    case 'stop-keepalived':
    case 'stop-fails':
    case 'stop-hangs':
    case 'gateway-lost':
    case 'clone':
    case 'replay':
    case 'leave':
    case 'drill':
    case 'drill-holder':
    case 'kill-agent-in-fence':
    case 'weight-fails':
      return nodes
    case 'kill-witness':
    case 'freeze-witness':
      return [witnessHostName]
    default:
      return assertNever(kind)
  }
}

const lossShare = 0.05
const jitterMs = { least: 0.1, most: 200 }
/** A migration's jump; longer than any promise. */
const clockJumpMs = 30_000

export function begin(cluster: Cluster, { kind, where }: Fault): void {
  setCondition(cluster, { kind, where }, true)
}

export function end(cluster: Cluster, { kind, where }: Fault): void {
  setCondition(cluster, { kind, where }, false)
}

function setCondition(cluster: Cluster, { kind, where }: Fault, on: boolean): void {
  const { network } = cluster
  switch (kind) {
    case 'vrrp-block':
      for (const [from, to] of bothWays(lb01, lb02)) network.path(from, to).vrrpBlocked = on
      return
    case 'vrrp-block-one-way': {
      const [from, to] = endsOf(where)
      network.path(from, to).vrrpBlocked = on
      return
    }
    case 'cut-link': {
      const [from, to] = endsOf(where)
      for (const [one, other] of bothWays(from, to)) cluster.cut(one, other, on)
      return
    }
    case 'cut-one-way': {
      const [from, to] = endsOf(where)
      return cluster.cut(from, to, on)
    }
    case 'isolate':
      for (const other of hosts)
        if (other !== where)
          for (const [one, another] of bothWays(where, other)) cluster.cut(one, another, on)
      return
    case 'isolate-one-way':
      for (const other of hosts) if (other !== where) cluster.cut(where, other, on)
      return
    case 'unplug':
      setCondition(cluster, { kind: 'isolate', where }, on)
      return cluster.node(where).keepalived.carrier(!on)
    case 'loss':
      for (const path of cluster.allPaths) path.loss = on ? lossShare : 0
      return
    case 'jitter':
      for (const path of cluster.allPaths) path.delayMs = on ? jitterMs : calmDelayMs
      return
    case 'duplicates':
      for (const path of cluster.allPaths) path.duplicates = on ? lossShare : 0
      return
    case 'kill-agent':
      return on ? cluster.node(where).killAgent() : cluster.node(where).startAgent()
    case 'kill-agent-in-fence':
      return on ? cluster.node(where).layAmbush() : cluster.node(where).endAmbush()
    case 'freeze-agent':
      return on ? cluster.node(where).freezeAgent() : cluster.node(where).thawAgent()
    case 'kill-witness':
      return on ? cluster.witness.kill() : cluster.witness.start()
    case 'freeze-witness':
      return on ? cluster.witness.freezeDaemon() : cluster.witness.thawDaemon()
    case 'kill-keepalived':
      return on ? cluster.node(where).killKeepalived() : cluster.node(where).startKeepalived()
    case 'freeze-keepalived':
      return on ? cluster.node(where).freezeKeepalived() : cluster.node(where).thawKeepalived()
    case 'stop-keepalived':
      return on ? cluster.node(where).terminateKeepalived() : cluster.node(where).startKeepalived()
    case 'crash-host':
      return on ? cluster.machine(where).powerOff() : cluster.machine(where).powerOn()
    case 'freeze-host':
      return on ? cluster.machine(where).freeze() : cluster.machine(where).thaw()
    case 'clock-jump':
      return on ? cluster.machine(where).jumpClock(clockJumpMs) : undefined
    case 'disk-slow':
      cluster.machine(where).disk.condition = on ? 'slow' : 'well'
      return
    case 'disk-full':
      cluster.machine(where).disk.condition = on ? 'full' : 'well'
      return
    case 'disk-rollback':
      // A virtual machine is restored from a snapshot, so it comes up with an older disk.
      if (on) {
        cluster.machine(where).powerOff()
        return cluster.machine(where).disk.rollBack()
      }
      return cluster.machine(where).powerOn()
    case 'disk-torn':
      if (!on) return where === witnessHostName ? cluster.witness.start() : cluster.node(where).startAgent()
      if (where === witnessHostName) cluster.witness.kill()
      else cluster.node(where).killAgent()
      return cluster.machine(where).disk.tear()
    case 'clone':
    case 'replay':
      return on ? cluster.admitStranger(where, kind) : cluster.dismissStranger(where, kind)
    case 'stop-fails':
    case 'stop-hangs':
      cluster.node(where).commandCondition = on ? kind : 'well'
      return
    // The admin only asks; the witness refuses if a drill is not safe.
    case 'drill':
    case 'drill-holder':
      return on
        ? cluster.witness.daemon?.drill({ node: where, includingHolder: kind === 'drill-holder' })
        : undefined
    case 'gateway-lost':
      return cluster.node(where).setGateway(on ? 'unreachable' : 'reachable')
    // Where no script has a weight, nothing happens.
    case 'weight-fails':
      cluster.node(where).appFails = on
      return
    case 'leave':
      return on ? cluster.node(where).leave() : cluster.node(where).comeBack()
    default:
      return assertNever(kind)
  }
}

function bothWays(one: string, other: string): [string, string][] {
  return [
    [one, other],
    [other, one],
  ]
}

function endsOf(where: string): [string, string] {
  const [from, to] = where.split('>')
  if (from === undefined || to === undefined) throw new Error(`"${where}" is no path`)
  return [from, to]
}
