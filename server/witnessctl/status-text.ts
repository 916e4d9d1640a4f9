/** `witnessctl status`: one verdict line, a row for each node and instance, then what needs attention. */
import {
  type ClusterView,
  type InstanceView,
  type NodeInstanceView,
  type NodeView,
  labelOf,
} from '../../shared/protocol/view.ts'
import { printable, type Colour, type Paint } from './paint.ts'
import { renderTable, type Cell } from './table.ts'

const head = ['NODE', 'INSTANCE', 'STATE', 'ALLOWED', 'VIP', 'HEARTBEAT', 'ICMP', 'EPOCH']
const levelColours = { ok: 'green', warning: 'yellow', critical: 'red' } as const

export function renderStatus(view: ClusterView, paint: Paint): string {
  const { cluster, verdict, nodes } = view
  const rows = nodes.flatMap((node) =>
    node.instances.length === 0
      ? [nodeRow(node, null)]
      : node.instances.map((instance) => nodeRow(node, instance)),
  )
  const ofWitness = (view.witnessWarnings ?? []).map((warning) => `witness: ${warning}`)
  const attention = [...pairNotes(view), ...instanceNotes(view), ...ofWitness, ...nodes.flatMap(nodeNotes)]
  return [
    `${paint(verdict.level.toUpperCase(), levelColours[verdict.level])}  ${paint(cluster, 'bold')}: ${printable(verdict.text)}`,
    ...(rows.length === 0 ? [] : ['', ...renderTable(head, rows, paint)]),
    ...(attention.length === 0
      ? []
      : ['', ...attention.map((note) => `${paint('!', 'yellow')} ${printable(note)}`)]),
    ...priorityLines(view),
    ...drillLines(view),
    ...refusedNote(view),
    '',
  ].join('\n')
}

function nodeRow(node: NodeView, instance: NodeInstanceView | null): Cell[] {
  return [
    { text: node.node },
    { text: instance?.localName ?? instance?.instance ?? '-' },
    stateCell(node, instance),
    allowedCell(node, instance),
    vipCell(node, instance),
    heartbeatCell(node),
    icmpCell(node),
    { text: instance === null ? '-' : `${instance.epoch}` },
  ].map((cell) => ({ ...cell, text: printable(cell.text) }))
}

/** What a silent agent reported last is out of date, and is marked as such. */
function stateCell(node: NodeView, instance: NodeInstanceView | null): Cell {
  if (instance === null) return { text: '-' }
  if (!node.connected) return { text: `was ${instance.keepalived}`, colour: 'yellow' }
  if (instance.process !== 'running')
    return { text: `${instance.keepalived} (${instance.process})`, colour: 'yellow' }
  return { text: instance.keepalived }
}

function allowedCell(node: NodeView, instance: NodeInstanceView | null): Cell {
  if (instance === null) return { text: 'unknown', colour: 'yellow' }
  const text = node.mode === 'observe' ? `${instance.allowed} (only observed)` : instance.allowed
  const colour = allowedColour(instance.allowed)
  return colour === null ? { text } : { text, colour }
}

function allowedColour(allowed: NodeInstanceView['allowed']): Colour | null {
  switch (allowed) {
    case 'holds the lease':
      return 'green'
    case 'may become MASTER':
      return null
    case 'unprotected':
    case 'barred':
    case 'in a drill':
    case 'unknown':
      return 'yellow'
    case 'fenced':
      return 'red'
  }
}

function vipCell(node: NodeView, instance: NodeInstanceView | null): Cell {
  if (instance === null) return { text: '-' }
  const held = instance.vips === 'held'
  if (!node.connected) return { text: held ? 'was held' : '-', colour: 'yellow' }
  return { text: held ? 'held' : '-' }
}

function heartbeatCell({ heartbeatAgeMs, connected }: NodeView): Cell {
  if (heartbeatAgeMs === null) return { text: 'never', colour: 'red' }
  const text = `${duration(heartbeatAgeMs)} ago`
  return connected ? { text } : { text, colour: 'red' }
}

function icmpCell({ icmp: { roundTripMs, lossPercent } }: NodeView): Cell {
  if (lossPercent === null) return { text: 'not pinged yet' }
  const loss = `${Math.round(lossPercent)} % lost`
  if (roundTripMs === null) return { text: `no answer, ${loss}`, colour: 'red' }
  const text = `${roundTripMs.toFixed(roundTripMs < 10 ? 2 : 0)} ms, ${loss}`
  return lossPercent > 0 ? { text, colour: 'yellow' } : { text }
}

/** The verdict names the worst instance; the others that are not normal follow here. */
function instanceNotes({ instances, verdict }: ClusterView): string[] {
  return instances
    .filter(({ situation, text }) => situation !== 'normal' && !verdict.text.includes(text))
    .map((each: InstanceView) => `${labelOf(each)}: ${each.situation}: ${each.text}`)
}

function nodeNotes(node: NodeView): string[] {
  const held = node.instances
    .filter(({ allowed }) => allowed === 'barred' || allowed === 'fenced')
    .map(
      ({ instance, localName, allowed, why }) =>
        `${node.node} is ${allowed} for ${localName ?? instance}: ${why}`,
    )
  const failed = node.instances.flatMap(({ instance, localName, fence }) =>
    fence?.result === 'failed'
      ? [
          `${node.node} could not release ${localName ?? instance} (${fence.rung}, after ${duration(fence.tookMs)}): ${fence.reason}`,
        ]
      : [],
  )
  return [...held, ...failed, ...node.warnings.map((warning) => `${node.node}: ${warning}`)]
}

/** The verdict may name the worst difference; what to do about it is said here. */
function pairNotes({ pair = [] }: ClusterView): string[] {
  return pair.map(({ text, remedy }) => `${text} ${remedy}`)
}

/** Where keepalived does not run with what keepalived.conf says, or may not: no fault by itself, but it decides who is MASTER. */
function priorityLines({ nodes }: ClusterView): string[] {
  const lines = nodes.flatMap(({ node, instances }) =>
    instances.flatMap((each) => {
      const differs = describePriority(each)
      return differs === null
        ? []
        : [printable(`Priority of ${node}: ${each.localName ?? each.instance} ${differs}`)]
    }),
  )
  return lines.length === 0 ? [] : ['', ...lines]
}

function describePriority({
  priority,
  configuredPriority,
  priorityMayDiffer,
}: NodeInstanceView): string | null {
  if (priorityMayDiffer === true)
    return `is ${priority} as far as is known; something that it tracks has a weight, and keepalived does not tell each change`
  return configuredPriority === undefined
    ? null
    : `runs with ${priority}, and keepalived.conf has ${configuredPriority}`
}

/** When each node's fence was last proved, or that it never was. */
function drillLines({ nodes }: ClusterView): string[] {
  if (nodes.length === 0) return []
  return ['', ...nodes.map((node) => printable(`Drill of ${node.node}: ${describeDrill(node)}`))]
}

function describeDrill({ node, lastDrill, instances }: NodeView): string {
  if (lastDrill === null) {
    // Without --including-holder a holder is not drilled, and with it the VIP moves.
    const holds = instances.some(({ allowed }) => allowed === 'holds the lease')
    return `none yet; run "witnessctl drill --node ${node}"${holds ? ' when it is the standby' : ''}`
  }
  const proofs = lastDrill.instances.map(({ instance, role, rungs, backMs }) => {
    const words = rungs.map(({ rung, tookMs }) => `${rung} ${Math.round(tookMs)} ms`).join(', ')
    const back = backMs === null ? '' : `, back after ${duration(backMs)}`
    return `${instance}${role === 'holder' ? ' as holder' : ''}: ${words}${back}`
  })
  return `passed ${lastDrill.at.replace('T', ' ')} (${proofs.join('; ')})`
}

function refusedNote({ refusedMessages }: ClusterView): string[] {
  const counts = Object.entries(refusedMessages).filter(([, count]) => count > 0)
  if (counts.length === 0) return []
  return [
    '',
    `Refused messages: ${counts.map(([reason, count]) => `${printable(reason)} ${count}`).join(', ')}`,
  ]
}

/** 0.3 s, 12 s, 4 min, 3 h, 5 d */
function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
