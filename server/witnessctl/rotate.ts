/** `witnessctl rotate`: asks nodes for a new key and certificate. */
import type { Output, Request } from './options.ts'
import type { WitnessClient } from './witness-client.ts'

export async function rotateNodes(
  client: WitnessClient,
  { cluster, node, all }: Request & { kind: 'rotate' },
  terminal: Output,
): Promise<void> {
  const { nodes } = await client.listNodes(cluster)
  const chosen = all
    ? nodes.filter(({ removed }) => !removed)
    : [{ cluster: cluster ?? '', node: node ?? '', connected: isConnected(nodes, node) }]
  for (const one of chosen) {
    await client.changeNode('rotate', { cluster: one.cluster, node: one.node })
    terminal.err(
      one.connected
        ? `${one.cluster}/${one.node}: a new key was requested.\n`
        : `${one.cluster}/${one.node}: a new key will be requested when the node connects; it is not connected now.\n`,
    )
  }
  terminal.err(
    chosen.length === 0
      ? 'No node is enrolled.\n'
      : 'The old certificate of a node is refused as soon as the new one is used; see "witnessctl nodes".\n',
  )
}

function isConnected(nodes: readonly { node: string; connected: boolean }[], node: string | null): boolean {
  return nodes.some((one) => one.node === node && one.connected)
}
