/** `witnessctl invite`: the line alone on stdout, so that it can be piped; what to do with it on stderr. */
import type { Output, Request } from './options.ts'
import type { WitnessClient } from './witness-client.ts'

export async function makeInvite(
  client: WitnessClient,
  { cluster, node, address, json }: Request & { kind: 'invite' },
  terminal: Output,
): Promise<void> {
  const invite = await client.invite({ cluster, node, address })
  if (json) {
    terminal.out(`${JSON.stringify(invite, null, 2)}\n`)
    return
  }
  terminal.out(`${invite.line}\n`)
  terminal.err(
    `\nOn ${node}, run "witness-agent join" and paste this line there within ${Math.round(invite.goodForMs / 60_000)} min.\n` +
      `It works once. Keep it secret, because whoever joins with it becomes ${node}.\n` +
      `The node will look for the witness at ${invite.address}; use --address to give it another address.\n`,
  )
}
