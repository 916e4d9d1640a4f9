/**
 * How a node gets its certificate: `join` with an invite's secret, and `renew` with the certificate that it
 * has.
 */
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import type { Request, RequestHandler, Response } from 'express'
import { longestRequest } from '../../shared/identity/key-request.ts'
import { nodeKey } from './nodes.ts'
import { inviteSecret } from '../../shared/identity/invite-line.ts'
import { agentAddress } from '../../shared/protocol/names.ts'
import { memberSchema } from '../../shared/protocol/plan.ts'
import {
  type EnrolmentApiOptions,
  addressOf,
  event,
  readBody,
  refuseWithoutReading,
} from './enrolment-request.ts'
import type { NodeKey, RedeemRefusal, Refused } from '../core/enrolment/record.ts'
import { type Problem, sendProblem } from './problem.ts'
import type { NodeIdentity } from '../../shared/identity/identity.ts'
import { messageOf } from '../../shared/error-message.ts'

/** The same refusal is reported once within this time, so that it cannot fill the event log. */
const refusalQuietMs = 60_000

const csr = z.string().min(1).max(longestRequest)

const joinBody = z.strictObject({
  ...nodeKey.shape,
  secret: inviteSecret,
  csr,
  /** Where the node's agent listens for its peer; null: at the address that it joins from. */
  address: agentAddress.nullable(),
  port: memberSchema.shape.port,
})

const renewBody = z.strictObject({ csr })

export async function join(
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
  // This comes first, so that a request without a valid secret does not cost the work of a signature.
  const refusal = await whyNotEnrolled(options, { cluster, node, secret })
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

/** More than it takes until a connected node has a new plan on disk, and its votes from before have expired. */
const pairSettlesMs = 6000
const lookAgainMs = 100

/** Whoever removes a node and lets its successor join at once need not do that again. */
async function whyNotEnrolled(
  options: EnrolmentApiOptions,
  key: NodeKey & { secret: string },
): Promise<Refused<RedeemRefusal> | null> {
  const { registry, nowMs } = options
  const untilMs = nowMs() + pairSettlesMs
  for (;;) {
    const refusal = registry.whyNotRedeemed(key)
    if (refusal?.reason !== 'pair-may-serve' || !hasPeer(options, key) || nowMs() >= untilMs) return refusal
    await setTimeout(lookAgainMs)
  }
}

/** Whether another node of the cluster is connected, whose vote the node that joins can count on. */
function hasPeer({ registry, isConnected }: EnrolmentApiOptions, { cluster, node }: NodeKey): boolean {
  return registry.entries.some(
    (entry) => entry.cluster === cluster && entry.node !== node && !entry.removed && isConnected(entry),
  )
}

/** @returns null when the answer is sent */
export function nodeThatMayRenew(
  { registry, identityOf }: EnrolmentApiOptions,
  request: Request,
  response: Response,
): NodeIdentity | null {
  const identity = identityOf(request)
  if (identity?.kind !== 'node') {
    refuseWithoutReading(response, {
      status: identity === null ? 401 : 403,
      title: identity === null ? 'Unauthorized' : 'Forbidden',
      detail: 'Only a node can renew its certificate, and the request must come with that certificate.',
    })
    return null
  }
  const admission = registry.mayConnect(identity)
  if (admission.kind === 'ok') return identity
  refuseWithoutReading(response, notRenewed(admission))
  return null
}

/** Settles when the handler lets the request pass. */
export function passThrough(handler: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    void handler(request, response, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(error instanceof Error ? error : new Error(messageOf(error)))
    })
  })
}

export async function renew(
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
      text: `${node} has a new key and certificate; the previous certificate is refused as soon as the new one is used.`,
      evidence: { generation },
    }),
  )
  response.status(201).json({ certificate, generation })
}

function notRenewed({ reason, text }: Refused<string>): Problem {
  return { status: reason === 'too-soon' ? 429 : 403, title: 'Not renewed', detail: `${text}.` }
}

export class QuietRefusals {
  readonly #options: EnrolmentApiOptions
  readonly #toldAtMs = new Map<string, number>()

  constructor(options: EnrolmentApiOptions) {
    this.#options = options
  }

  tell({ reason, text }: Refused<RedeemRefusal>, { cluster, node, from }: NodeKey & { from: string }): void {
    // Without a valid secret the names are a stranger's choice, so they stay out of the events.
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
        decision: 'No certificate was issued.',
      }),
    )
  }
}
