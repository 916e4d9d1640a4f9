/**
 * What all enrolment requests share: the options, the bounded body, how a request is refused, and how it becomes an
 * event.
 */
import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Authority } from '../registry/authority.ts'
import type { Registry } from '../registry/registry.ts'
import { type Identity, describeIdentity } from '../../shared/identity/identity.ts'
import type { NodeKey } from '../core/enrolment/record.ts'
import type { Occurrence } from '../core/arbiter/occurrence.ts'
import { type Problem, sendProblem } from './problem.ts'
import { plainAddress } from '../../shared/network/secure-server.ts'

export interface EnrolmentApiOptions {
  readonly authority: Authority
  readonly registry: Registry
  /** Whose certificate TLS has verified on this connection; null: none, or not of this authority. */
  readonly identityOf: (request: Request) => Identity | null
  /** HOST:PORT for invites that name none; null: unknown. */
  readonly ownAddress: () => string | null
  readonly isConnected: (key: NodeKey) => boolean
  /** Whether the node has the VIP, as far as this witness knows. */
  readonly holdsLease: (key: NodeKey) => boolean
  /** An event of a cluster, which need not be open. */
  readonly tell: (cluster: string, occurrence: Occurrence) => void
  /** Called for a secret that this witness never issued, or not for this node. */
  readonly onUnknownInvite: (remoteAddress: string) => void
  /** Boot clock. */
  readonly nowMs: () => number
}

export const longestBody = '16kb'

/** @returns null when the body was refused and the answer is sent */
export function readBody<T>(schema: z.ZodType<T>, request: Request, response: Response): T | null {
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

/** Refuses a request whose sender has no right to send it: its body is not read, and the connection ends. */
export function refuseWithoutReading(response: Response, problem: Problem): void {
  response.set('Connection', 'close')
  sendProblem(response, problem)
}

export function event(
  occurrence: Pick<Occurrence, 'event' | 'node' | 'text' | 'evidence'> & Partial<Occurrence>,
): Occurrence {
  return { level: 'info', instance: null, decision: null, ...occurrence }
}

export function addressOf(request: Request): string {
  return plainAddress(request.socket.remoteAddress)
}

export function nameOf({ identityOf }: EnrolmentApiOptions, request: Request): string {
  const identity = identityOf(request)
  return identity === null ? 'nobody' : describeIdentity(identity)
}
