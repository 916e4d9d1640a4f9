/** The command line of witnessctl. */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import { inviteAddress } from '../../shared/identity/invite-line.ts'
import { clusterName, nodeName, witnessPort } from '../../shared/protocol/names.ts'

/**
 * Those of monitoring plugins, so that `witnessctl status` can be used as one. Unknown is everything that says nothing
 * about a cluster: a mistake in the command, a witness that cannot be reached or refuses, a fault of witnessctl.
 */
export const exitCodes = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const

export type Request =
  | {
      readonly kind: 'status'
      readonly cluster: string | null
      readonly json: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'events'
      readonly cluster: string | null
      readonly json: boolean
      readonly limit: number
      readonly follow: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'invite'
      readonly cluster: string
      readonly node: string
      /** HOST:PORT at which the node reaches the witness; null: the witness chooses. */
      readonly address: string | null
      readonly json: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'nodes'
      readonly cluster: string | null
      readonly json: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'remove'
      readonly cluster: string
      readonly node: string
      readonly evenHolder: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'rotate'
      /** Null: of all clusters. */
      readonly cluster: string | null
      /** Null: all of them. */
      readonly node: string | null
      readonly all: boolean
      readonly access: Access
    }
  | {
      readonly kind: 'drill'
      readonly cluster: string | null
      readonly node: string
      readonly includingHolder: boolean
      readonly json: boolean
      readonly access: Access
    }
  /** Help or version has been printed, or the mistake has been reported: end with this code. */
  | { readonly kind: 'end'; readonly code: number }

export interface Access {
  readonly url: string
  /** The folder with identity.pem and authority.pem of an admin. */
  readonly identity: string
}

export interface Output {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

const usualUrl = `https://127.0.0.1:${witnessPort}`
/** Where witnessd puts it on its own host. */
const usualIdentity = '/var/lib/keepalived-witness/admin'

const helpText = `
Exit codes, as for monitoring plugins: 0 all is well; 1 something needs attention (warning);
  2 a cluster is in danger now (critical); 3 unknown: a mistake in the command or its identity, a
  witness that cannot be reached or refuses, or a fault of witnessctl itself.
  "drill" ends with 0 (passed), 1 (not ended yet), 2 (failed) or 3; other commands than "status"
  with 0 or 3.
Environment: KEEPALIVED_WITNESS_URL, KEEPALIVED_WITNESS_IDENTITY (a folder), NO_COLOR.
Data goes to stdout, messages go to stderr.`

export function parseRequest(
  args: readonly string[],
  {
    env,
    version,
    output,
  }: { env: Readonly<Record<string, string | undefined>>; version: string; output: Output },
): Request {
  let request: Request = { kind: 'end', code: exitCodes.unknown }
  const program = new Command('witnessctl')
    .description(
      'Shows what the witness of your keepalived clusters sees and why it decided as it did, and manages its nodes.',
    )
    .version(version)
    .option('--url <url>', 'the witness', parseUrl, env.KEEPALIVED_WITNESS_URL ?? usualUrl)
    .option('--identity <folder>', 'folder with identity.pem and authority.pem of an admin of the witness')
    .addHelpText('after', helpText)
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
  const access = (): Access => {
    const { url, identity } = program.opts<{ url: string; identity?: string }>()
    return {
      url: parseUrl(url),
      identity: identity ?? env.KEEPALIVED_WITNESS_IDENTITY ?? usualIdentity,
    }
  }

  program
    .command('status')
    .description(
      'shows a verdict, then what each node reports for each instance and what it is allowed to do',
    )
    .argument('[cluster]', 'only this cluster')
    .option('--json', 'print the JSON of the API', false)
    .action((cluster: string | undefined, { json }: { json: boolean }) => {
      request = { kind: 'status', cluster: cluster ?? null, json, access: access() }
    })
  program
    .command('events')
    .description('shows what happened, oldest first')
    .argument('[cluster]', 'only this cluster')
    .option('--limit <n>', 'how many of the newest events to show', parseLimit, 50)
    .option('--follow', 'keep showing new events until Ctrl-C', false)
    .option('--json', 'print one JSON object per line', false)
    .action((cluster: string | undefined, options: { json: boolean; limit: number; follow: boolean }) => {
      request = { kind: 'events', cluster: cluster ?? null, ...options, access: access() }
    })
  program
    .command('drill')
    .description('tests the fence of a node, shows how long each step took, and brings the node back')
    .requiredOption('--node <node>', 'a standby; the holder only with --including-holder')
    .option('--cluster <cluster>', 'needed if the witness knows several clusters')
    .option('--including-holder', 'if the node holds the VIP, move it to the other node, with proof', false)
    .option('--json', 'print the event with which the drill ended', false)
    .action((options: { node: string; cluster?: string; includingHolder: boolean; json: boolean }) => {
      const { cluster = null, ...asked } = options
      request = { kind: 'drill', cluster, ...asked, access: access() }
    })

  program
    .command('invite')
    .description('prints one line with which one node can join, once and within 15 minutes')
    .requiredOption('--cluster <name>', 'the cluster; a new name creates a new cluster', parseCluster)
    .requiredOption('--node <name>', 'the name that the node gets', parseNode)
    .option('--address <host:port>', 'the address at which the node reaches this witness', parseAddress)
    .option('--json', 'print the JSON of the API', false)
    .action((options: { cluster: string; node: string; address?: string; json: boolean }) => {
      request = { kind: 'invite', ...options, address: options.address ?? null, access: access() }
    })
  program
    .command('nodes')
    .description('lists the nodes that are enrolled')
    .argument('[cluster]', 'only this cluster', parseCluster)
    .option('--json', 'print the JSON of the API', false)
    .action((cluster: string | undefined, { json }: { json: boolean }) => {
      request = { kind: 'nodes', cluster: cluster ?? null, json, access: access() }
    })
  program
    .command('remove')
    .description('shuts a node out at once, so that nobody votes for it any more')
    .requiredOption('--cluster <name>', 'its cluster', parseCluster)
    .requiredOption('--node <name>', 'the node', parseNode)
    .option('--even-holder', 'remove the node even if it has the VIP, which it then gives up', false)
    .action((options: { cluster: string; node: string; evenHolder: boolean }) => {
      request = { kind: 'remove', ...options, access: access() }
    })
  const rotate = program
    .command('rotate')
    .description('asks one node, or all nodes, for a new key and certificate')
    .option('--cluster <name>', 'its cluster', parseCluster)
    .option('--node <name>', 'the node', parseNode)
    .option('--all', 'every node, or every node of the cluster if --cluster is given', false)
    .action((options: { cluster?: string; node?: string; all: boolean }) => {
      const { cluster = null, node = null, all } = options
      if (all ? node !== null : cluster === null || node === null)
        rotate.error('error: name one node with --cluster and --node, or all with --all')
      request = { kind: 'rotate', cluster, node, all, access: access() }
    })

  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (error instanceof InvalidArgumentError) output.err(`error: KEEPALIVED_WITNESS_URL: ${error.message}\n`)
    else if (!(error instanceof CommanderError)) throw error
    return {
      kind: 'end',
      code: error instanceof CommanderError && error.exitCode === 0 ? exitCodes.ok : exitCodes.unknown,
    }
  }
  return request
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol !== 'https:')
    throw new InvalidArgumentError(
      `"${text}" is not the URL of a witness; write for example https://10.0.0.20:${witnessPort}`,
    )
  return text
}

function parseCluster(text: string): string {
  return parseName(clusterName, text)
}

function parseNode(text: string): string {
  return parseName(nodeName, text)
}

function parseAddress(text: string): string {
  return parseName(inviteAddress, text)
}

function parseName(schema: z.ZodType<string>, text: string): string {
  const result = schema.safeParse(text)
  if (result.success) return result.data
  throw new InvalidArgumentError(`${result.error.issues[0]?.message ?? 'malformed'}.`)
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new InvalidArgumentError('a whole number from 1 to 1000 is expected.')
  return limit
}
