/**
 * The HTTP API of enrolment. Who may do what: an admin invites, lists, removes and rotates; a node renews its own
 * certificate; whoever has an invite's secret joins as the node that the invite names.
 */
import express, {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express'
import { z } from 'zod'
import { DurableFileError } from '../shared/durable-file.ts'
import { messageOf } from '../shared/error-message.ts'
import { describeIdentity, type Identity, type NodeIdentity } from '../shared/identity.ts'
import { inviteAddress, inviteSecret, writeInviteLine } from '../shared/invite-line.ts'
import { longestRequest } from '../shared/key-request.ts'
import { agentAddress, clusterName, memberSchema, nodeName } from '../shared/protocol.ts'
import { plainAddress } from '../shared/secure-server.ts'
import type { Occurrence } from './arbiter-state.ts'
import { KeyRequestError, type Authority } from './authority.ts'
import type { NodeKey, RedeemRefusal, Refused } from './enrolment.ts'
import { sendProblem, type Problem } from './problem.ts'
import { readQuery } from './query.ts'
import type { ChangeResult, Registry } from './registry.ts'

export interface EnrolmentApiOptions {
  readonly authority: Authority
  readonly registry: Registry
  /** Whose certificate TLS has verified on this connection; null: none, or not of this authority. */
  readonly identityOf: (request: Request) => Identity | null
  /** HOST:PORT for invites that name none; null: unknown. */
  readonly ownAddress: () => string | null
  readonly isConnected: (key: NodeKey) => boolean
  /** Whether the node has the VIP, as far as this witness's vote goes. */
  readonly holdsLease: (key: NodeKey) => boolean
  /** An event of a cluster, which need not be open. */
  readonly tell: (cluster: string, occurrence: Occurrence) => void
  /** A secret that this witness never gave out, or not for this node. */
  readonly onUnknownInvite: (remoteAddress: string) => void
  /** Boot clock. */
  readonly nowMs: () => number
}

const longestBody = '16kb'
/** The same refusal again and again fills no event log. */
const refusalQuietMs = 60_000

const csr = z.string().min(1).max(longestRequest)
const nodeKey = z.strictObject({ cluster: clusterName, node: nodeName })
const inviteBody = z.strictObject({ ...nodeKey.shape, address: inviteAddress.nullable().default(null) })
const joinBody = z.strictObject({
  ...nodeKey.shape,
  secret: inviteSecret,
  csr,
  /** Where the node's agent listens for its peer; null: at the address that it joins from. */
  address: agentAddress.nullable(),
  port: memberSchema.shape.port,
})
const renewBody = z.strictObject({ csr })
const nodesQuery = z.strictObject({ cluster: clusterName.optional() })
const removeBody = z.strictObject({ evenHolder: z.boolean().default(false) })
const rotateBody = z.strictObject({})

/** To be mounted before anything that refuses other methods than GET, or bodies. */
export function createEnrolmentRouter(options: EnrolmentApiOptions): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  const json = express.json({ limit: longestBody, type: 'application/json' })
  const admin = requireAdmin(options)
  const refusals = new QuietRefusals(options)

  router.post('/api/v1/invites', admin, json, (request, response) => makeInvite(options, request, response))
  router.get('/api/v1/nodes', admin, (request, response) => listNodes(options, request, response))
  router.post('/api/v1/clusters/:cluster/nodes/:node/remove', admin, json, (request, response) =>
    changeNode(options, { request, response, change: 'remove' }),
  )
  router.post('/api/v1/clusters/:cluster/nodes/:node/rotate', admin, json, (request, response) =>
    changeNode(options, { request, response, change: 'rotate' }),
  )
  router.post('/api/v1/join', json, (request, response) => join(options, { request, response, refusals }))
  router.post('/api/v1/renew', async (request, response) => {
    const identity = nodeThatMayRenew(options, request, response)
    if (identity === null) return
    await passThrough(json, request, response)
    await renew(options, { request, response, identity })
  })
  router.use(sendKnownFailure)
  return router
}

function requireAdmin({ identityOf }: EnrolmentApiOptions): RequestHandler {
  return (request, response, next) => {
    const identity = identityOf(request)
    if (identity?.kind === 'admin') {
      next()
      return
    }
    refuseWithoutReading(response, {
      status: identity === null ? 401 : 403,
      title: identity === null ? 'Unauthorized' : 'Forbidden',
      detail:
        identity === null
          ? 'No certificate of this witness was shown: use witnessctl, with the identity of an admin.'
          : `This is for an admin, and ${describeIdentity(identity)} is none: use witnessctl, with the identity of an admin.`,
    })
  }
}

async function makeInvite(options: EnrolmentApiOptions, request: Request, response: Response): Promise<void> {
  const { authority, registry, ownAddress, tell } = options
  const body = readBody(inviteBody, request, response)
  if (body === null) return
  const { cluster, node } = body
  const address = body.address ?? ownAddress()
  if (address === null) {
    sendProblem(response, {
      status: 400,
      title: 'Address unknown',
      detail:
        'This witness cannot tell at which address the node reaches it: name it with --address HOST:PORT.',
    })
    return
  }
  const outcome = await registry.invite({ cluster, node })
  if (outcome.kind === 'refused') {
    sendProblem(response, { status: 409, title: 'Not invited', detail: outcome.text })
    return
  }
  const { secret, goodForMs } = outcome
  const minutes = goodForMs / 60_000
  tell(
    cluster,
    event({
      event: 'invite-made',
      node,
      text: `An invite for ${node} was made; it is good for ${minutes} min and for one join.`,
      evidence: { address, by: nameOf(options, request) },
    }),
  )
  const line = writeInviteLine({ address, fingerprint: authority.fingerprint, secret, cluster, node })
  response.status(201).json({ line, cluster, node, address, goodForMs })
}

async function join(
  options: EnrolmentApiOptions,
  { request, response, refusals }: { request: Request; response: Response; refusals: QuietRefusals },
): Promise<void> {
  const { authority, registry, tell } = options
  const body = readBody(joinBody, request, response)
  if (body === null) return
  const { cluster, node, secret, csr } = body
  const refuse = (refused: Refused<RedeemRefusal>): void => {
    refusals.tell(refused, { cluster, node, from: addressOf(request) })
    sendProblem(response, { status: 403, title: 'Not enrolled', detail: `${refused.text}.` })
  }
  // A look first: whoever has no secret is not worth the work of a signature.
  const refusal = registry.whyNotRedeemed({ cluster, node, secret })
  if (refusal !== null) {
    refuse(refusal)
    return
  }
  await authority.checkRequest(csr)
  const address = body.address ?? addressOf(request)
  const outcome = await registry.redeem({ cluster, node, secret, address, port: body.port })
  if (outcome.kind === 'refused') {
    refuse(outcome)
    return
  }
  const { generation } = outcome
  const certificate = await authority.signNode({ cluster, node, generation, request: csr })
  tell(
    cluster,
    event({
      event: 'node-enrolled',
      node,
      text: `${node} was enrolled from ${addressOf(request)}; its agent listens on ${address} port ${body.port}.`,
      evidence: { address, port: body.port, generation, from: addressOf(request) },
    }),
  )
  response.status(201).json({ certificate, generation, peerConnected: hasPeer(options, { cluster, node }) })
}

/** Whether another node of the cluster is here, whose vote the one that joins can count on. */
function hasPeer({ registry, isConnected }: EnrolmentApiOptions, { cluster, node }: NodeKey): boolean {
  return registry.entries.some(
    (entry) => entry.cluster === cluster && entry.node !== node && !entry.removed && isConnected(entry),
  )
}

/** @returns null when the answer is sent */
function nodeThatMayRenew(
  { registry, identityOf }: EnrolmentApiOptions,
  request: Request,
  response: Response,
): NodeIdentity | null {
  const identity = identityOf(request)
  if (identity?.kind !== 'node') {
    refuseWithoutReading(response, {
      status: identity === null ? 401 : 403,
      title: identity === null ? 'Unauthorized' : 'Forbidden',
      detail: 'A node renews its own certificate, and shows it to do so.',
    })
    return null
  }
  const admission = registry.mayConnect(identity)
  if (admission.kind === 'ok') return identity
  refuseWithoutReading(response, notRenewed(admission))
  return null
}

/** Settles when the handler lets the request pass. */
function passThrough(handler: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    void handler(request, response, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(error instanceof Error ? error : new Error(messageOf(error)))
    })
  })
}

async function renew(
  { authority, registry, tell }: EnrolmentApiOptions,
  { request, response, identity }: { request: Request; response: Response; identity: NodeIdentity },
): Promise<void> {
  const body = readBody(renewBody, request, response)
  if (body === null) return
  await authority.checkRequest(body.csr)
  const outcome = await registry.renew(identity)
  if (outcome.kind === 'refused') {
    sendProblem(response, notRenewed(outcome))
    return
  }
  const { cluster, node } = identity
  const { generation } = outcome
  const certificate = await authority.signNode({ cluster, node, generation, request: body.csr })
  tell(
    cluster,
    event({
      event: 'certificate-renewed',
      node,
      text: `${node} has a new key and certificate; the one before it ends when this one is in use.`,
      evidence: { generation },
    }),
  )
  response.status(201).json({ certificate, generation })
}

function listNodes(options: EnrolmentApiOptions, request: Request, response: Response): void {
  const { registry, isConnected } = options
  const query = readQuery(nodesQuery, request.query)
  if (query.kind === 'wrong') {
    sendProblem(response, { status: 400, title: 'Bad query', detail: query.detail })
    return
  }
  const wanted = query.parameters.cluster
  const isWanted = ({ cluster }: { cluster: string }): boolean => wanted === undefined || cluster === wanted
  response.json({
    nodes: registry.entries
      .filter(isWanted)
      .map((entry) => ({ ...entry, connected: !entry.removed && isConnected(entry) })),
    invites: registry.openInvites.filter(isWanted),
    lostAt: registry.lostAt,
  })
}

async function changeNode(
  options: EnrolmentApiOptions,
  { request, response, change }: { request: Request; response: Response; change: 'remove' | 'rotate' },
): Promise<void> {
  const { registry, tell } = options
  const key = nodeKey.safeParse(request.params)
  if (!key.success) {
    sendProblem(response, {
      status: 404,
      title: 'Unknown node',
      detail: 'This path names no node. /api/v1/nodes lists those that are enrolled.',
    })
    return
  }
  const body =
    change === 'remove' ? readBody(removeBody, request, response) : readBody(rotateBody, request, response)
  if (body === null) return
  const { cluster, node } = key.data
  if ('evenHolder' in body && !body.evenHolder && options.holdsLease(key.data)) {
    sendProblem(response, {
      status: 409,
      title: 'Has the VIP',
      detail: `${node} has the VIP now, and would lose it. First move it away ("witnessctl drill --cluster ${cluster} --node ${node} --including-holder") or take the agent out of service there; or add --even-holder.`,
    })
    return
  }
  const { outcome, notKept }: Change =
    change === 'remove'
      ? await removeNode(registry, key.data)
      : { outcome: await registry.rotate(key.data), notKept: null }
  if (outcome.kind === 'refused') {
    sendProblem(response, {
      status: outcome.reason === 'unknown' ? 404 : 409,
      title: outcome.reason === 'unknown' ? 'Unknown node' : 'Removed',
      detail: `${outcome.text}.`,
    })
    return
  }
  const by = nameOf(options, request)
  tell(
    cluster,
    change === 'remove'
      ? event({
          event: 'node-removed',
          level: 'warning',
          node,
          text: `${node} was removed by ${by}: its certificate is refused from now on.`,
          evidence: { by },
        })
      : event({
          event: 'rotation-asked',
          node,
          text: `${by} wants a new key for ${node}; the node makes one when it is connected.`,
          evidence: { by },
        }),
  )
  if (notKept === null) response.json({ cluster, node })
  else
    sendProblem(response, {
      status: 503,
      title: 'Removed, and not kept',
      detail: `${node} is shut out from now on, but this could not be written down, and a restart of the witness forgets it: put that right, then remove it again. ${notKept.message}.`,
    })
}

interface Change {
  readonly outcome: ChangeResult
  /** It counts all the same, until the next restart. */
  readonly notKept: DurableFileError | null
}

async function removeNode(registry: Registry, key: NodeKey): Promise<Change> {
  try {
    return { outcome: await registry.remove(key), notKept: null }
  } catch (error) {
    if (!(error instanceof DurableFileError)) throw error
    return { outcome: { kind: 'done' }, notKept: error }
  }
}

/** @returns null when the body was refused and the answer is sent */
function readBody<T>(schema: z.ZodType<T>, request: Request, response: Response): T | null {
  const body: unknown = request.body ?? {}
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.join('.') ?? ''
  sendProblem(response, {
    status: 400,
    title: 'Bad request',
    detail: `${where === '' ? 'the body' : where}: ${issue?.message ?? 'malformed'}`.slice(0, 300),
  })
  return null
}

function notRenewed({ reason, text }: Refused<string>): Problem {
  return { status: reason === 'too-soon' ? 429 : 403, title: 'Not renewed', detail: `${text}.` }
}

/** A body that nobody has a right to send is not read: the connection ends. */
function refuseWithoutReading(response: Response, problem: Problem): void {
  response.set('Connection', 'close')
  sendProblem(response, problem)
}

function sendKnownFailure(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (error instanceof KeyRequestError)
    return sendProblem(response, {
      status: 400,
      title: 'Bad certificate request',
      detail: `${error.message}.`,
    })
  if (error instanceof DurableFileError)
    return sendProblem(response, {
      status: 503,
      title: 'Cannot be kept',
      detail: `The witness cannot write to its disk (${error.errno}), and does nothing that it could not keep: put that right, then try again.`,
    })
  next(error)
}

class QuietRefusals {
  readonly #options: EnrolmentApiOptions
  readonly #toldAtMs = new Map<string, number>()

  constructor(options: EnrolmentApiOptions) {
    this.#options = options
  }

  tell({ reason, text }: Refused<RedeemRefusal>, { cluster, node, from }: NodeKey & { from: string }): void {
    // Names that come without a secret of ours are a stranger's choice, and stay out of the events.
    if (reason === 'unknown' || reason === 'other-node') return this.#options.onUnknownInvite(from)
    const atMs = this.#options.nowMs()
    const name = `${cluster}/${node} ${reason}`
    const toldAtMs = this.#toldAtMs.get(name)
    if (toldAtMs !== undefined && atMs - toldAtMs < refusalQuietMs) return
    this.#toldAtMs.set(name, atMs)
    this.#options.tell(
      cluster,
      event({
        event: 'invite-refused',
        level: 'warning',
        node,
        text: `A join as ${node} from ${from} was refused: ${text}.`,
        evidence: { reason, from },
        decision: 'No certificate was given.',
      }),
    )
  }
}

function event(
  occurrence: Pick<Occurrence, 'event' | 'node' | 'text' | 'evidence'> & Partial<Occurrence>,
): Occurrence {
  return { level: 'info', instance: null, decision: null, ...occurrence }
}

function addressOf(request: Request): string {
  return plainAddress(request.socket.remoteAddress)
}

function nameOf({ identityOf }: EnrolmentApiOptions, request: Request): string {
  const identity = identityOf(request)
  return identity === null ? 'nobody' : describeIdentity(identity)
}
