/** `witnessctl drill`: orders it, follows the events until it has ended, and prints each rung with its time. */
import type { EventView } from '../../shared/protocol/view.ts'
import { drillEndsSchema, type DrillBegun } from '../../shared/protocol/view.ts'
import { exitCodes, type Output } from './options.ts'
import { printable, type Paint } from './paint.ts'

/** The part of the witness's client that a drill needs. */
export interface DrillClient {
  listClusters(): Promise<{ readonly clusters: readonly { readonly cluster: string }[] }>
  startDrill(asked: { cluster: string; node: string; includingHolder: boolean }): Promise<DrillBegun>
  listEvents(range: { cluster: string; limit: number; after: number | null }): Promise<EventView[]>
}

export interface DrillRequest {
  /** Null: the only one that the witness knows. */
  readonly cluster: string | null
  readonly node: string
  readonly includingHolder: boolean
  readonly json: boolean
}

const pollMs = 250
/** The witness itself gives up after this long for each instance (server/core/arbiter/drill.ts), and some more. */
const longestMs = 120_000

const ends: ReadonlySet<string> = new Set(['drill-passed', 'drill-failed'])

/** @returns the exit code: 0 passed, 1 not known, 2 failed, 3 not begun */
export async function runDrill(
  client: DrillClient,
  request: DrillRequest,
  around: {
    readonly output: Output
    readonly paint: Paint
    /** False: ended before its time. */
    readonly pause: (ms: number) => Promise<boolean>
  },
): Promise<number> {
  const { output, paint, pause } = around
  const { node, includingHolder, json } = request
  const cluster = request.cluster ?? (await onlyCluster(client, output))
  if (cluster === null) return exitCodes.unknown
  const begun = await client.startDrill({ cluster, node, includingHolder })
  const instances = begun.steps.map(({ instance, role }) => `${instance} as ${role}`).join(', ')
  output.err(printable(`Drill of ${node} in ${cluster}: ${instances}. Its end is awaited.\n`))
  for (let waitedMs = 0; waitedMs < longestMs; waitedMs += pollMs) {
    const events = await client.listEvents({ cluster, limit: 1000, after: begun.afterEvent })
    const end = events.find((event) => ends.has(event.event) && event.node === node)
    if (end !== undefined) {
      output.out(json ? `${JSON.stringify(end, null, 2)}\n` : renderEnd(end, paint))
      return end.event === 'drill-passed' ? exitCodes.ok : exitCodes.critical
    }
    if (!(await pause(pollMs))) break
  }
  output.err(
    `witnessctl: the drill of ${node} has not ended yet; "witnessctl events ${cluster} --follow" tells when it does\n`,
  )
  return exitCodes.warning
}

async function onlyCluster(client: DrillClient, output: Output): Promise<string | null> {
  const names = (await client.listClusters()).clusters.map(({ cluster }) => cluster)
  if (names.length === 1 && names[0] !== undefined) return names[0]
  output.err(
    names.length === 0
      ? 'witnessctl: this witness knows no cluster yet\n'
      : `witnessctl: this witness knows ${names.length} clusters: name one with --cluster (${names.join(', ')})\n`,
  )
  return null
}

function renderEnd(event: EventView, paint: Paint): string {
  const passed = event.event === 'drill-passed'
  const parsed = drillEndsSchema.safeParse(event.evidence)
  const told = parsed.success ? parsed.data.ends : []
  const lines = told.flatMap(({ instance, role, rungs, backMs, takenBy, takeoverMs }) => [
    paint(`${instance} (${role})`, 'bold'),
    ...rungs.map(
      ({ rung, proved, tookMs }) =>
        `  ${rung.padEnd(12)} ${proved ? 'proved: VIP gone, keepalived in FAULT or gone' : paint('NOT proved', 'red')}  ${Math.round(tookMs)} ms`,
    ),
    backMs === null
      ? `  ${'back'.padEnd(12)} ${paint('keepalived did not take part again', 'red')}`
      : `  ${'back'.padEnd(12)} keepalived takes part again  ${Math.round(backMs)} ms`,
    ...(takenBy === null
      ? []
      : [
          `  ${'takeover'.padEnd(12)} ${takenBy} has the lease and the VIP  ${Math.round(takeoverMs ?? 0)} ms`,
          '  The VIP is on the other node now, and stays there unless keepalived.conf preempts.',
        ]),
  ])
  const verdict = paint(passed ? 'PASSED' : 'FAILED', passed ? 'green' : 'red')
  return `${[...lines.map(keepColour), `${verdict}  ${printable(event.text)}`].join('\n')}\n`
}

/** Names come from other hosts; the colours are ours. */
function keepColour(line: string): string {
  return line
    .split('\u001b')
    .map((part) => printable(part))
    .join('\u001b')
}
