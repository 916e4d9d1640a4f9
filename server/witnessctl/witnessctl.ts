/** Runs one command of witnessctl. */
import { assertNever } from '../../shared/assert-never.ts'
import { CredentialsError, readCredentials } from '../../shared/identity/credentials.ts'
import { describeIdentity } from '../../shared/identity/identity.ts'
import type { ClusterView } from '../../shared/protocol/view.ts'
import { runDrill } from './drill.ts'
import { renderEvent } from './events-text.ts'
import { makeInvite } from './invite.ts'
import { listNodes } from './nodes.ts'
import { exitCodes, parseRequest, type Access, type Output, type Request } from './options.ts'
import { painter, type Paint } from './paint.ts'
import { removeNode } from './remove.ts'
import { rotateNodes } from './rotate.ts'
import { renderStatus } from './status-text.ts'
import { WitnessClient, WitnessClientError } from './witness-client.ts'

export interface Terminal extends Output {
  readonly isTty: boolean
}

const followIntervalMs = 1000
const verdictCodes = { ok: exitCodes.ok, warning: exitCodes.warning, critical: exitCodes.critical } as const

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly terminal: Terminal
  /** Ends `--follow`. */
  readonly stopped: AbortSignal
}

type Command = Exclude<Request, { readonly kind: 'end' }>
interface Around {
  readonly terminal: Terminal
  readonly paint: Paint
  readonly stopped: AbortSignal
}

/** @returns the exit code */
export async function witnessctl(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { env, version, terminal } = surroundings
  const request = parseRequest(args, { env, version, output: terminal })
  if (request.kind === 'end') return request.code
  try {
    const client = connect(request.access)
    const paint = painter({ isTty: terminal.isTty, noColor: env.NO_COLOR })
    return await answer(client, request, { terminal, paint, stopped: surroundings.stopped })
  } catch (error) {
    if (error instanceof CredentialsError || error instanceof WitnessClientError) {
      terminal.err(`witnessctl: ${error.message}\n`)
      return exitCodes.unknown
    }
    throw error
  }
}

function connect({ url, identity: folder }: Access): WitnessClient {
  const { identity, ...credentials } = readCredentials(
    folder,
    'run witnessctl on the witness host as root, or name a copy of its admin folder with --identity',
  )
  if (identity.kind !== 'admin')
    throw new CredentialsError(
      'unusable',
      `${folder} is the identity of ${describeIdentity(identity)}, but witnessctl needs that of an admin; name the admin folder of the witness with --identity`,
    )
  return new WitnessClient({ url, identity: credentials, folder })
}

/** @returns the exit code */
async function answer(client: WitnessClient, request: Command, around: Around): Promise<number> {
  const { terminal, paint } = around
  switch (request.kind) {
    case 'status':
      return showStatus(client, request, around)
    case 'events':
      return showEvents(client, request, around)
    case 'drill':
      return runDrill(client, request, { output: terminal, paint, pause: (ms) => pause(ms, around.stopped) })
    case 'invite':
      await makeInvite(client, request, terminal)
      return exitCodes.ok
    case 'nodes':
      await listNodes(client, request, { terminal, paint })
      return exitCodes.ok
    case 'remove':
      await removeNode(client, request, terminal)
      return exitCodes.ok
    case 'rotate':
      await rotateNodes(client, request, terminal)
      return exitCodes.ok
    default:
      return assertNever(request)
  }
}

async function showStatus(
  client: WitnessClient,
  { cluster, json }: Request & { kind: 'status' },
  { terminal, paint }: { terminal: Terminal; paint: Paint },
): Promise<number> {
  if (cluster !== null) {
    const view = await client.showCluster(cluster)
    terminal.out(json ? jsonText(view) : renderStatus(view, paint))
    return worstOf([view])
  }
  const list = await client.listClusters()
  const views = await Promise.all(list.clusters.map((one) => client.showCluster(one.cluster)))
  if (json) terminal.out(jsonText({ version: list.version, clusters: views, refused: list.refused }))
  else terminal.out(views.map((view) => renderStatus(view, paint)).join('\n'))
  if (views.length > 0) return worstOf(views)
  terminal.err(
    'witnessctl: this witness does not know any cluster yet; create one with "witnessctl invite"\n',
  )
  return exitCodes.warning
}

async function showEvents(
  client: WitnessClient,
  request: Request & { kind: 'events' },
  { terminal, paint, stopped }: { terminal: Terminal; paint: Paint; stopped: AbortSignal },
): Promise<number> {
  const { json, limit, follow } = request
  /** Per cluster the id of the last event that was printed. */
  const seen = new Map<string, number>()
  const printNew = async (): Promise<void> => {
    const names = request.cluster === null ? await clusterNames(client) : [request.cluster]
    const lists = await Promise.all(
      names.map((cluster) => client.listEvents({ cluster, limit, after: seen.get(cluster) ?? null })),
    )
    const events = lists.flat().sort((a, b) => (a.at === b.at ? a.id - b.id : a.at < b.at ? -1 : 1))
    // After the first request no event is left out.
    const chosen = seen.size === 0 ? events.slice(-limit) : events
    for (const name of names) seen.set(name, seen.get(name) ?? 0)
    for (const event of events) seen.set(event.cluster, Math.max(event.id, seen.get(event.cluster) ?? 0))
    for (const event of chosen) terminal.out(`${json ? JSON.stringify(event) : renderEvent(event, paint)}\n`)
  }
  await printNew()
  if (!follow) return exitCodes.ok
  let lost = false
  while (await pause(followIntervalMs, stopped)) {
    try {
      await printNew()
      if (lost) terminal.err('witnessctl: the witness answers again\n')
      lost = false
    } catch (error) {
      // People follow the events to watch things like a restart of the witness, so this must not end it.
      if (!(error instanceof WitnessClientError) || error.code !== 'unreachable') throw error
      if (!lost) terminal.err(`witnessctl: ${error.message} Still trying.\n`)
      lost = true
    }
  }
  return exitCodes.ok
}

async function clusterNames(client: WitnessClient): Promise<readonly string[]> {
  return (await client.listClusters()).clusters.map(({ cluster }) => cluster)
}

/** @returns false if it was interrupted */
function pause(ms: number, stopped: AbortSignal): Promise<boolean> {
  if (stopped.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      stopped.removeEventListener('abort', end)
      resolve(true)
    }, ms)
    stopped.addEventListener('abort', end, { once: true })
  })
}

function worstOf(views: readonly ClusterView[]): number {
  const order = ['ok', 'warning', 'critical'] as const
  const worst = Math.max(...views.map(({ verdict }) => order.indexOf(verdict.level)))
  return verdictCodes[order[worst] ?? 'critical']
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
