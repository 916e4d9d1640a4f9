/** The command line of witnessctl. */
import { Command, CommanderError, InvalidArgumentError } from 'commander'

export const exitCodes = { ok: 0, warning: 1, usage: 2, critical: 3, unreachable: 4 } as const

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
      readonly kind: 'drill'
      readonly cluster: string | null
      readonly node: string
      readonly includingHolder: boolean
      readonly json: boolean
      readonly access: Access
    }
  /** Help or version is printed, or the mistake is told: end with this code. */
  | { readonly kind: 'end'; readonly code: number }

export interface Access {
  readonly url: string
  /** Null: look where witnesses and agents keep it. */
  readonly tokenFile: string | null
}

export interface Output {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

const helpText = `
Exit codes: 0 all is well; 1 something needs attention (warning); 2 mistake in the command or
  its token file; 3 a cluster is in danger now (critical); 4 the witness cannot be reached or refuses.
  "events" ends with 0, 2 or 4; "drill" with 0 (passed), 3 (failed), 1 (not ended yet), 2 or 4. 70 is a fault of witnessctl itself.
Environment: KEEPALIVED_WITNESS_URL, KEEPALIVED_WITNESS_TOKEN_FILE (a path), NO_COLOR.
Data goes to stdout, messages go to stderr.`

export function parseRequest(
  args: readonly string[],
  {
    env,
    version,
    output,
  }: { env: Readonly<Record<string, string | undefined>>; version: string; output: Output },
): Request {
  let request: Request = { kind: 'end', code: exitCodes.usage }
  const program = new Command('witnessctl')
    .description('Shows what the witness of your keepalived clusters sees, and why it decided as it did.')
    .version(version)
    .option('--url <url>', 'the witness', parseUrl, env.KEEPALIVED_WITNESS_URL ?? 'http://127.0.0.1:7400')
    .option('--token-file <file>', 'where the token is (default: where witness and agents keep it)')
    .addHelpText('after', helpText)
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
  const access = (): Access => {
    const { url, tokenFile } = program.opts<{ url: string; tokenFile?: string }>()
    return { url: parseUrl(url), tokenFile: tokenFile ?? env.KEEPALIVED_WITNESS_TOKEN_FILE ?? null }
  }

  program
    .command('status')
    .description('a verdict, then each node and instance: what it reports and what it is allowed')
    .argument('[cluster]', 'this one only')
    .option('--json', 'as the API gives it', false)
    .action((cluster: string | undefined, { json }: { json: boolean }) => {
      request = { kind: 'status', cluster: cluster ?? null, json, access: access() }
    })
  program
    .command('events')
    .description('what happened, oldest first')
    .argument('[cluster]', 'this one only')
    .option('--limit <n>', 'how many of the newest', parseLimit, 50)
    .option('--follow', 'go on with each new one, until Ctrl-C', false)
    .option('--json', 'one JSON object a line', false)
    .action((cluster: string | undefined, options: { json: boolean; limit: number; follow: boolean }) => {
      request = { kind: 'events', cluster: cluster ?? null, ...options, access: access() }
    })
  program
    .command('drill')
    .description('proves the fence of a node, rung by rung, with the time it took, and brings the node back')
    .requiredOption('--node <node>', 'a standby; the holder only with --including-holder')
    .option('--cluster <cluster>', 'needed where the witness knows several')
    .option(
      '--including-holder',
      'where the node holds the VIP: move it to the other node, with proof',
      false,
    )
    .option('--json', 'the event of its end', false)
    .action((options: { node: string; cluster?: string; includingHolder: boolean; json: boolean }) => {
      const { cluster = null, ...asked } = options
      request = { kind: 'drill', cluster, ...asked, access: access() }
    })

  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (error instanceof InvalidArgumentError) output.err(`error: KEEPALIVED_WITNESS_URL: ${error.message}\n`)
    else if (!(error instanceof CommanderError)) throw error
    return {
      kind: 'end',
      code: error instanceof CommanderError && error.exitCode === 0 ? exitCodes.ok : exitCodes.usage,
    }
  }
  return request
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new InvalidArgumentError(
      `"${text}" is no URL of a witness: write for example http://10.0.0.20:7400`,
    )
  return text
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new InvalidArgumentError('a whole number from 1 to 1000 is expected.')
  return limit
}
