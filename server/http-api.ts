/**
 * The witness's HTTP API: health, what is going on and why, and the question of a check whose agent is dead.
 * docs/OPERATING.md lists it for people. Everything under /api needs the token.
 */
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import { z } from 'zod'
import { bootId, clusterName, instanceName, nodeName } from '../shared/protocol.ts'
import { bearsToken } from '../shared/token.ts'
import type { CheckAnswer, ClusterRuntime } from './cluster-runtime.ts'
import { drillApi, drillPathPattern } from './drill-api.ts'
import { sendProblem } from './problem.ts'
import { readQuery, wholeNumber } from './query.ts'

export interface ApiOptions {
  readonly token: string
  readonly version: string
  readonly clusters: {
    readonly ready: boolean
    readonly all: readonly Pick<ClusterRuntime, 'cluster' | 'view'>[]
    get(name: string): Pick<ClusterRuntime, 'cluster' | 'view' | 'check' | 'listEvents' | 'drill'> | null
  }
  /** What was refused before it reached a cluster, by kind. */
  readonly refused: () => Readonly<Record<string, number>>
  readonly onError: (error: unknown) => void
  readonly onUnauthenticated: (remoteAddress: string) => void
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
    if (bearsToken(request.headers.authorization, options.token)) {
      next()
      return
    }
    options.onUnauthenticated(request.socket.remoteAddress ?? 'unknown')
    response.set('WWW-Authenticate', 'Bearer')
    sendProblem(response, {
      status: 401,
      title: 'Unauthorized',
      detail: 'Send "Authorization: Bearer <token>" with the token of the witness\'s token file.',
    })
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

  // Whoever has the token may command.
  api.use(drillApi({ clusters, identityOf: () => ({ kind: 'admin', name: 'token' }) }))

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

function guardRequest(request: Request, response: Response, next: NextFunction): void {
  response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  const commands = request.method === 'POST' && drillPathPattern.test(request.path)
  if (request.method !== 'GET' && request.method !== 'HEAD' && !commands) {
    response.set({ Allow: 'GET, HEAD', Connection: 'close' })
    return sendProblem(response, {
      status: 405,
      title: 'Method not allowed',
      detail: `${request.method} changes nothing here: this API is read with GET, and a drill is ordered with POST.`,
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
