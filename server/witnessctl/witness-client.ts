/** Asks the witness's HTTP API. */
import { z } from 'zod'
import type { ClusterView, EventView } from '../cluster-view.ts'
import {
  clusterListSchema,
  clusterSchema,
  drillBegunSchema,
  eventsSchema,
  type DrillBegun,
} from './cluster-schema.ts'

/** `unknown-cluster` is the user's mistake; the others are the witness's, or of the way to it. */
export class WitnessClientError extends Error {
  readonly code: 'unreachable' | 'refused' | 'unknown-cluster' | 'not-understood'

  constructor(code: WitnessClientError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const answerTimeoutMs = 5000
const problemSchema = z.object({ detail: z.string() })

export class WitnessClient {
  readonly #url: string
  readonly #token: string
  readonly #tokenFile: string

  /** @param options.tokenFile for messages only */
  constructor(options: { url: string; token: string; tokenFile: string }) {
    this.#url = options.url
    this.#token = options.token
    this.#tokenFile = options.tokenFile
  }

  /** @throws WitnessClientError */
  async listClusters(): Promise<z.infer<typeof clusterListSchema>> {
    return this.#get('/api/v1/clusters', clusterListSchema)
  }

  /** @throws WitnessClientError */
  async showCluster(cluster: string): Promise<ClusterView> {
    return this.#get(`/api/v1/clusters/${encodeURIComponent(cluster)}`, clusterSchema)
  }

  /**
   * In the order in which they happened; without `after` the newest.
   * @throws WitnessClientError
   */
  async listEvents(range: { cluster: string; limit: number; after: number | null }): Promise<EventView[]> {
    const { cluster, limit, after } = range
    const query = new URLSearchParams({ limit: `${limit}`, ...(after === null ? {} : { after: `${after}` }) })
    const path = `/api/v1/clusters/${encodeURIComponent(cluster)}/events?${query.toString()}`
    return (await this.#get(path, eventsSchema)).events
  }

  /** @throws WitnessClientError, `refused` where a drill is not safe now: the message says why */
  async startDrill(asked: { cluster: string; node: string; includingHolder: boolean }): Promise<DrillBegun> {
    const { cluster, node, includingHolder } = asked
    const path = `/api/v1/clusters/${encodeURIComponent(cluster)}/nodes/${encodeURIComponent(node)}/drill`
    return this.#ask('POST', `${path}?including-holder=${includingHolder}`, drillBegunSchema)
  }

  async #get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#ask('GET', path, schema)
  }

  async #ask<T>(method: 'GET' | 'POST', path: string, schema: z.ZodType<T>): Promise<T> {
    const url = new URL(path, this.#url)
    const response = await this.#fetch(method, url)
    const text = await response.text()
    if (!response.ok) throw this.#failure(response, text)
    const parsed = schema.safeParse(parseJson(text))
    if (parsed.success) return parsed.data
    throw new WitnessClientError(
      'not-understood',
      `${url.href} answered what this witnessctl does not understand (${parsed.error.issues[0]?.path.join('.') ?? ''}): ` +
        `is a witness listening there, of the same version?`,
    )
  }

  async #fetch(method: 'GET' | 'POST', url: URL): Promise<Response> {
    try {
      return await fetch(url, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, accept: 'application/json' },
        signal: AbortSignal.timeout(answerTimeoutMs),
        redirect: 'error',
      })
    } catch (cause) {
      throw new WitnessClientError(
        'unreachable',
        `the witness at ${this.#url} cannot be reached (${reasonOf(cause)}): is witnessd running there, and is --url right?`,
        { cause },
      )
    }
  }

  #failure(response: Response, text: string): WitnessClientError {
    const problem = problemSchema.safeParse(parseJson(text))
    const detail = problem.success ? problem.data.detail : `HTTP ${response.status}`
    switch (response.status) {
      case 401:
        return new WitnessClientError(
          'refused',
          `the witness at ${this.#url} refuses the token of ${this.#tokenFile}: name the witness's own token file with --token-file`,
        )
      case 404:
        if (problem.success) return new WitnessClientError('unknown-cluster', detail)
        return new WitnessClientError(
          'not-understood',
          `${this.#url} is no witness: it answers HTTP 404. Is --url right?`,
        )
      default:
        return new WitnessClientError('refused', `the witness at ${this.#url} refuses: ${detail}`)
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** fetch says "fetch failed" and hides the reason in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${answerTimeoutMs} ms`
  const { cause } = error
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message
  return error.message
}
