/**
 * The witness's HTTP API: health, what is going on and why, and the question of a check whose agent is dead.
 * docs/operating/api.md lists it for people. Everything under /api needs a
 * certificate of this witness: an admin reads all, a node its own cluster, and a check asks for its own node.
 */
import express, { type Express, type NextFunction, type Request, type Response, type Router } from 'express'
import { z } from 'zod'
import { bootId, clusterName, instanceName, nodeName } from '../../shared/protocol/names.ts'
import { describeIdentity, type Identity } from '../../shared/identity/identity.ts'
import { plainAddress } from '../../shared/network/secure-server.ts'
import type { CheckAnswer, ClusterRuntime } from '../clusters/runtime.ts'
import { sendProblem, type Problem } from './problem.ts'
import { readQuery, wholeNumber } from './query.ts'

export interface ApiOptions {
  /** Null: no certificate of this witness, or one that is worth nothing any more. */
  readonly callerOf: (request: Request) => Identity | null
  readonly version: string
  /** What changes something, and lets in for that whom it sees fit: it comes before everything that only reads. */
  readonly commands: readonly Router[]
  readonly clusters: {
    readonly ready: boolean
    readonly all: readonly Pick<ClusterRuntime, 'cluster' | 'view'>[]
    get(name: string): Pick<ClusterRuntime, 'cluster' | 'view' | 'check' | 'listEvents'> | null
  }
  /** What was refused before it reached a cluster, by kind. */
  readonly refused: () => Readonly<Record<string, number>>
  readonly onError: (error: unknown) => void
  readonly onRefused: (
    kind: 'unauthenticated' | 'forbidden',
    facts: Readonly<Record<string, unknown>>,
  ) => void
}

/** No request here has a body. */
const longestBodyBytes = 0

const eventsQuery = z.strictObject({
  limit: wholeNumber({ least: 1, most: 1000 }).default(100),
  after: wholeNumber({ least: 0, most: Number.MAX_SAFE_INTEGER }).optional(),
})
const checkQuery = z.strictObject({
  cluster: clusterName,
  node: nodeName,
  instance: instanceName,
  boot: bootId.optional(),
})

export function createApi(options: ApiOptions): Express {
  const { clusters } = options
  const api = express()
  api.disable('x-powered-by')
  api.disable('etag')
  api.set('query parser', 'simple')
  api.set('strict routing', true)
  // `mayAsk` decides by the path: whoever writes it otherwise must find nothing behind it.
  api.set('case sensitive routing', true)

  for (const router of options.commands) api.use(router)
  api.use(guardRequest)
  api.get('/healthz', (_request, response) => sendText(response, 200, 'ok'))
  api.get('/readyz', (_request, response) => {
    if (clusters.ready) {
      sendText(response, 200, 'ready')
      return
    }
    sendProblem(response, {
      status: 503,
      title: 'Not ready',
      detail: 'Ledgers are being loaded; ask again in a moment.',
    })
  })

  api.use('/api', (request, response, next) => {
    const caller = options.callerOf(request)
    if (caller !== null && mayAsk(caller, request)) {
      next()
      return
    }
    options.onRefused(caller === null ? 'unauthenticated' : 'forbidden', {
      from: plainAddress(request.socket.remoteAddress),
      by: caller === null ? null : describeIdentity(caller),
    })
    sendProblem(response, caller === null ? unauthorized : forbidden(caller))
  })

  api.get('/api/v1/clusters', (_request, response) => {
    response.json({
      version: options.version,
      clusters: clusters.all.map((runtime) => {
        const { cluster, verdict, instances } = runtime.view()
        return { cluster, verdict, instances }
      }),
      refused: options.refused(),
    })
  })

  api.get('/api/v1/clusters/:cluster', (request, response) => {
    const cluster = clusters.get(request.params.cluster)
    if (cluster === null) {
      sendUnknown(response, request.params.cluster)
      return
    }
    response.json(cluster.view())
  })

  api.get('/api/v1/clusters/:cluster/events', (request, response) => {
    const cluster = clusters.get(request.params.cluster)
    if (cluster === null) {
      sendUnknown(response, request.params.cluster)
      return
    }
    const query = readQuery(eventsQuery, request.query)
    if (query.kind === 'wrong') {
      sendBadQuery(response, query.detail)
      return
    }
    const { limit, after } = query.parameters
    response.json({ events: cluster.listEvents({ limit, after: after ?? null }) })
  })

  api.get('/api/v1/check', async (request, response) => {
    const query = readQuery(checkQuery, request.query)
    if (query.kind === 'wrong') {
      sendBadQuery(response, query.detail)
      return
    }
    const { cluster: name, node, instance, boot = null } = query.parameters
    const cluster = clusters.get(name)
    if (cluster === null) {
      sendUnknown(response, name)
      return
    }
    sendCheck(request, response, await cluster.check({ node, instance, bootId: boot }))
  })

  api.use((request, response) =>
    sendProblem(response, {
      status: 404,
      title: 'Not found',
      detail: `${request.path} is not part of this API. See /api/v1/clusters.`,
    }),
  )
  api.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error)
      return
    }
    const status = statusOf(error)
    if (status >= 500) options.onError(error)
    sendProblem(response, {
      status,
      title: status >= 500 ? 'Internal error' : 'Bad request',
      detail:
        status >= 500 ? 'The witness failed to answer; its log says why.' : 'The request cannot be read.',
    })
  })
  return api
}

const unauthorized = {
  status: 401,
  title: 'Unauthorized',
  detail:
    'No certificate of this witness was shown, or one that was replaced or revoked: enrol this node again, or run witnessctl as root on the witness host.',
} as const

function forbidden(caller: Identity): Problem {
  return {
    status: 403,
    title: 'Forbidden',
    detail: `The certificate of ${describeIdentity(caller)} does not reach that far.`,
  }
}

function mayAsk(caller: Identity, request: Request): boolean {
  // An answer to a check is a vote, and an admin has none.
  if (caller.kind === 'admin') return request.path !== '/v1/check'
  if (caller.kind !== 'node') return false
  const asked = /^\/v1\/(?:(check)|clusters\/([^/]+)(?:\/events)?)$/.exec(request.path)
  if (asked === null) return false
  const [, check, cluster] = asked
  if (check === undefined) return cluster === caller.cluster
  // The answer is a vote: nobody asks for another.
  return request.query.cluster === caller.cluster && request.query.node === caller.node
}

function guardRequest(request: Request, response: Response, next: NextFunction): void {
  response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.set({ Allow: 'GET, HEAD', Connection: 'close' })
    return sendProblem(response, {
      status: 405,
      title: 'Method not allowed',
      detail: `${request.method} changes nothing here: this API is read with GET.`,
    })
  }
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > longestBodyBytes || request.headers['transfer-encoding'] !== undefined) {
    response.set('Connection', 'close')
    return sendProblem(response, {
      status: 413,
      title: 'Content too large',
      detail: 'No request of this API has a body.',
    })
  }
  next()
}

/** 200 permits, 503 refuses: curl and a person both read it without a parser. */
function sendCheck(request: Request, response: Response, { permit, text }: CheckAnswer): void {
  const status = permit ? 200 : 503
  if (request.accepts(['text/plain', 'application/json']) === 'application/json')
    response.status(status).json({ permit, reason: text })
  else sendText(response, status, text)
}

function sendText(response: Response, status: number, text: string): void {
  response.status(status).type('text/plain').send(`${text}\n`)
}

function sendUnknown(response: Response, cluster: string): void {
  sendProblem(response, {
    status: 404,
    title: 'Unknown cluster',
    detail: `This witness knows no cluster "${cluster.slice(0, 63)}". /api/v1/clusters lists those it knows.`,
  })
}

function sendBadQuery(response: Response, detail: string): void {
  sendProblem(response, { status: 400, title: 'Bad query', detail })
}

function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('status' in error)) return 500
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500 ? error.status : 500
}
