/** Asks the witness's HTTP API, as an admin. */
import { z } from 'zod'
import type { Credentials } from '../../shared/identity/credentials.ts'
import {
  askWitness,
  endpointOf,
  problemDetail,
  WitnessRequestError,
  type WitnessAnswer,
} from '../../shared/network/witness-request.ts'
import {
  clusterListSchema,
  clusterSchema,
  drillBegunSchema,
  eventsSchema,
  inviteSchema,
  nodeListSchema,
  type ClusterView,
  type DrillBegun,
  type EventView,
  type InviteView,
  type NodeListView,
} from '../../shared/protocol/view.ts'

/** `unknown` is the user's mistake; the others are faults of the witness or of the way to it. */
export class WitnessClientError extends Error {
  readonly code: 'unreachable' | 'refused' | 'unknown' | 'not-understood'

  constructor(code: WitnessClientError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const answerTimeoutMs = 5000

export class WitnessClient {
  readonly #url: string
  readonly #identity: Credentials
  readonly #folder: string

  /** @param options.folder for messages only */
  constructor(options: { url: string; identity: Credentials; folder: string }) {
    this.#url = options.url
    this.#identity = options.identity
    this.#folder = options.folder
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

  /** @throws WitnessClientError, `refused` if a drill is not safe now; the message says why */
  async startDrill(asked: { cluster: string; node: string; includingHolder: boolean }): Promise<DrillBegun> {
    const { cluster, node, includingHolder } = asked
    const path = `/api/v1/clusters/${encodeURIComponent(cluster)}/nodes/${encodeURIComponent(node)}/drill`
    return this.#ask(
      { method: 'POST', path: `${path}?including-holder=${includingHolder}`, body: null },
      drillBegunSchema,
    )
  }

  /** @throws WitnessClientError */
  async invite(body: { cluster: string; node: string; address: string | null }): Promise<InviteView> {
    return this.#ask({ method: 'POST', path: '/api/v1/invites', body }, inviteSchema)
  }

  /**
   * Of one cluster, or of all.
   * @throws WitnessClientError
   */
  async listNodes(cluster: string | null): Promise<NodeListView> {
    const query = cluster === null ? '' : `?${new URLSearchParams({ cluster }).toString()}`
    return this.#get(`/api/v1/nodes${query}`, nodeListSchema)
  }

  /** @throws WitnessClientError */
  async changeNode(
    change: 'remove' | 'rotate',
    key: { cluster: string; node: string },
    body: { evenHolder?: boolean; isOff?: readonly string[] } = {},
  ): Promise<{ readonly mayServeWith: readonly string[] }> {
    const { cluster, node } = key
    const path = `/api/v1/clusters/${encodeURIComponent(cluster)}/nodes/${encodeURIComponent(node)}/${change}`
    const schema = z.object({ node: z.string(), mayServeWith: z.array(z.string()).default([]) })
    return this.#ask({ method: 'POST', path, body }, schema)
  }

  #get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#ask({ method: 'GET', path, body: null }, schema)
  }

  async #ask<T>(
    question: { method: 'GET' | 'POST'; path: string; body: unknown },
    schema: z.ZodType<T>,
  ): Promise<T> {
    const answer = await this.#send(question)
    if (answer.status < 200 || answer.status >= 300) throw this.#failure(answer)
    const parsed = schema.safeParse(parseJson(answer.text))
    if (parsed.success) return parsed.data
    throw new WitnessClientError(
      'not-understood',
      `${new URL(question.path, this.#url).href} gave an answer that this witnessctl does not understand (${parsed.error.issues[0]?.path.join('.') ?? ''}). ` +
        `Check that a witness of the same version listens there.`,
    )
  }

  async #send(question: { method: 'GET' | 'POST'; path: string; body: unknown }): Promise<WitnessAnswer> {
    try {
      return await askWitness({
        ...question,
        ...endpointOf(this.#url),
        authority: this.#identity.authority,
        own: this.#identity,
        timeoutMs: answerTimeoutMs,
      })
    } catch (cause) {
      if (!(cause instanceof WitnessRequestError)) throw cause
      throw this.#noAnswer(cause)
    }
  }

  #noAnswer(cause: WitnessRequestError): WitnessClientError {
    switch (cause.code) {
      case 'unreachable':
        return new WitnessClientError(
          'unreachable',
          `the witness at ${this.#url} cannot be reached (${cause.message}). Check that witnessd is running there and that --url is right.`,
          { cause },
        )
      case 'not-the-witness':
        return new WitnessClientError(
          'refused',
          `${this.#url} is not the witness that ${this.#folder} belongs to (${cause.message}). Check --url, and check that the identity was issued by this witness.`,
          { cause },
        )
    }
  }

  #failure({ status, text }: WitnessAnswer): WitnessClientError {
    const detail = problemDetail(text)
    switch (status) {
      case 401:
      case 403:
        return new WitnessClientError(
          'refused',
          `the witness at ${this.#url} refuses the identity in ${this.#folder}${detail === null ? '' : ` (${detail})`}. Name the folder of the witness's admin with --identity.`,
        )
      case 404:
        if (detail !== null) return new WitnessClientError('unknown', detail)
        return new WitnessClientError(
          'not-understood',
          `${this.#url} is not a witness, because it answers HTTP 404. Check --url.`,
        )
      default:
        return new WitnessClientError(
          'refused',
          `the witness at ${this.#url} refused: ${detail ?? `HTTP ${status}`}`,
        )
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
