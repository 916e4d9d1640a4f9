/** `witnessctl remove`: shuts a node out, at once. */
import type { Output, Request } from './options.ts'
import type { WitnessClient } from './witness-client.ts'

export async function removeNode(
  client: WitnessClient,
  { cluster, node, evenHolder }: Request & { kind: 'remove' },
  terminal: Output,
): Promise<void> {
  await client.changeNode('remove', { cluster, node }, { evenHolder })
  terminal.err(
    `${cluster}/${node} is removed: its connections are closed and its certificate is refused.\n` +
      `Nobody votes for it any more, so its agent gives up any VIP that it has. To run keepalived there without a witness:\n` +
      `"witness-agent setup --undo", then "systemctl disable --now witness-agent".\n`,
  )
}
