/** `witnessctl nodes`: who is enrolled, and who may be soon. */
import type { NodeListView } from '../../shared/protocol/view.ts'
import type { Output, Request } from './options.ts'
import type { Paint } from './paint.ts'
import { renderTable, type Cell } from './table.ts'
import type { WitnessClient } from './witness-client.ts'

type Node = NodeListView['nodes'][number]

export async function listNodes(
  client: WitnessClient,
  { cluster, json }: Request & { kind: 'nodes' },
  { terminal, paint }: { terminal: Output; paint: Paint },
): Promise<void> {
  const list = await client.listNodes(cluster)
  terminal.out(json ? `${JSON.stringify(list, null, 2)}\n` : renderNodes(list, paint))
  if (list.nodes.length === 0 && !json)
    terminal.err('witnessctl: no node is enrolled yet; start with "witnessctl invite"\n')
}

export function renderNodes({ nodes, invites, lostAt }: NodeListView, paint: Paint): string {
  const rows = nodes.map((node): Cell[] => [
    { text: node.cluster },
    { text: node.node },
    stateCell(node),
    { text: node.address.includes(':') ? `[${node.address}]:${node.port}` : `${node.address}:${node.port}` },
    { text: certificateText(node) },
    { text: dayOf(node.enrolledAt) },
    { text: dayOf(node.renewedAt) },
  ])
  const head = ['cluster', 'node', 'state', 'address', 'certificate', 'enrolled', 'renewed']
  const lines = [
    ...(rows.length === 0 ? [] : renderTable(head, rows, paint)),
    ...invites.map(
      ({ cluster, node, endsInMs }) =>
        `An invite for ${cluster}/${node} is valid for another ${Math.ceil(endsInMs / 60_000)} min.`,
    ),
    ...(lostAt === null
      ? []
      : [
          paint(
            `The record of enrolments was lost at ${lostAt}, so nodes were accepted by their certificates alone. Remove those that do not belong here.`,
            'yellow',
          ),
        ]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function stateCell({ removed, connected, mayServeWith }: Node): Cell {
  if (removed && mayServeWith.length > 0)
    return { text: `removed; may still serve with ${mayServeWith.join(', ')}`, colour: 'yellow' }
  if (removed) return { text: 'removed' }
  return connected ? { text: 'connected', colour: 'green' } : { text: 'not connected', colour: 'yellow' }
}

function certificateText({ removed, generation, leastGeneration, rotateAbove }: Node): string {
  if (removed) return '-'
  if (rotateAbove !== null) return `${leastGeneration}, new key requested`
  return generation > leastGeneration ? `${leastGeneration}, ${generation} not in use yet` : `${generation}`
}

function dayOf(at: string): string {
  return at.slice(0, 10)
}
