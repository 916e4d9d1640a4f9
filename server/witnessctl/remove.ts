/** `witnessctl remove`: shuts a node out, at once. */
import type { Output, Request } from './options.ts'
import type { WitnessClient } from './witness-client.ts'

export async function removeNode(
  client: WitnessClient,
  { cluster, node, evenHolder, isOff }: Request & { kind: 'remove' },
  terminal: Output,
): Promise<void> {
  const { mayServeWith } = await client.changeNode('remove', { cluster, node }, { evenHolder, isOff })
  terminal.err(
    `${cluster}/${node} is removed: its connections are closed and its certificate is refused.\n` +
      mayServeWith.map((other) => pairText({ cluster, node, other })).join('') +
      `Without votes its agent gives up any VIP that it has. To run keepalived there without a witness:\n` +
      `"witness-agent setup --undo", then "systemctl disable --now witness-agent".\n`,
  )
}

function pairText({ cluster, node, other }: { cluster: string; node: string; other: string }): string {
  return (
    `${other} learns this when its agent is connected, within seconds. Until then the two may still serve together,\n` +
    `and nobody new can join ${cluster}. If both hosts are powered off, say so:\n` +
    `"witnessctl remove --cluster ${cluster} --node ${node} --is-off ${node} --is-off ${other}".\n`
  )
}
