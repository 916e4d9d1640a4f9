/** The client of the lab: what a user of the service sees. All times are wall-clock times in ms. */
import { createInterface } from 'node:readline'
import { pagePort, vip, type LabNode } from './address-plan.ts'
import { labMount, type NamespaceHost } from './namespace-host.ts'
import { type OwnershipChange, ownershipStretches, type Span } from './vip-ownership.ts'

/** One fetch of the page: when it began and who answered; null: nobody in time. */
export interface Attempt {
  readonly atMs: number
  readonly answeredBy: string | null
}

export const attemptIntervalMs = 20
/** A page takes 2 ms. If this were much longer, an attempt that waits for ARP would hide the time in which it waits. */
export const attemptTimeoutMs = 150

export class WebClient {
  readonly #attempts: Attempt[] = []

  start(host: NamespaceHost): void {
    const client = host.stream(
      process.execPath,
      `${labMount}/programs/web-client.cjs`,
      ...[vip, pagePort, attemptIntervalMs, attemptTimeoutMs].map(String),
    )
    if (client.stdout === null) throw new Error('the client has no output')
    createInterface(client.stdout).on('line', (line) => {
      const [atMs, who] = line.split(' ')
      this.#attempts.push({ atMs: Number(atMs), answeredBy: who === '-' || who === undefined ? null : who })
    })
  }

  attempts(): readonly Attempt[] {
    return [...this.#attempts].sort((one, other) => one.atMs - other.atMs)
  }
}

export interface ClientFigures {
  /** The longest stretch without an answer, from the first unanswered attempt to the next answered one. */
  readonly longestDarkMs: number
  readonly darkMs: number
  readonly answers: number
  /** Answers from a node other than the rightful owner while both nodes had the VIP. */
  readonly wrongAnswers: number
}

export function clientFigures(
  attempts: readonly Attempt[],
  span: Span,
  ownership: { changes: readonly OwnershipChange[]; rightful: LabNode | null },
): ClientFigures {
  const within = attempts.filter(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs)
  const stretches = darkStretchesMs(within, span)
  const overlaps = ownershipStretches(ownership.changes, span).filter(({ owners }) => owners.length > 1)
  const answered = within.filter(({ answeredBy }) => answeredBy !== null)
  return {
    longestDarkMs: Math.max(0, ...stretches),
    darkMs: stretches.reduce((sumMs, darkMs) => sumMs + darkMs, 0),
    answers: answered.length,
    wrongAnswers: answered.filter(
      ({ atMs, answeredBy }) =>
        answeredBy !== ownership.rightful &&
        overlaps.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs),
    ).length,
  }
}

function darkStretchesMs(attempts: readonly Attempt[], span: Span): number[] {
  const stretches: number[] = []
  let darkSinceMs: number | null = null
  for (const { atMs, answeredBy } of attempts) {
    if (answeredBy === null) darkSinceMs ??= atMs
    else if (darkSinceMs !== null) {
      stretches.push(atMs - darkSinceMs)
      darkSinceMs = null
    }
  }
  if (darkSinceMs !== null) stretches.push(span.toMs - darkSinceMs)
  return stretches
}
