/** Checks a certificate that the witness has issued, before it replaces anything. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { messageOf } from '../../shared/error-message.ts'
import { identityOf } from '../../shared/identity/identity.ts'
import { problemDetail, type WitnessAnswer } from '../../shared/network/witness-request.ts'

/** The witness refuses, or its answer is not what was asked for. */
export class IssueError extends Error {
  readonly code = 'issue'
}

const answerSchema = z.object({
  certificate: z.string().max(16_384),
  generation: z.number(),
  peerConnected: z.boolean().default(true),
})

export interface Issued {
  readonly certificate: string
  readonly generation: number
  /** For a join: whether the other node's agent is connected to the witness. */
  readonly peerConnected: boolean
}

/**
 * The certificate, if it is for this node and this key and signed by this authority.
 * @throws IssueError
 */
export function readIssued(
  { status, text }: Pick<WitnessAnswer, 'status' | 'text'>,
  expected: { cluster: string; node: string; key: string; authority: string },
): Issued {
  if (status !== 201) throw new IssueError(problemDetail(text) ?? `the witness answered HTTP ${status}`)
  const answer = answerSchema.safeParse(jsonOf(text))
  if (!answer.success)
    throw new IssueError('the answer of the witness is not understood; install the same version on all hosts')
  const { certificate } = answer.data
  const reason = whyNot(certificate, expected)
  if (reason !== null) throw new IssueError(`the witness sent a certificate that cannot be used: ${reason}`)
  return answer.data
}

function whyNot(
  pem: string,
  { cluster, node, key, authority }: { cluster: string; node: string; key: string; authority: string },
): string | null {
  try {
    const certificate = new X509Certificate(pem)
    const identity = identityOf(certificate)
    if (identity?.kind !== 'node' || identity.cluster !== cluster || identity.node !== node)
      return `it is not for ${cluster}/${node}`
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'it is for another key'
    if (!certificate.verify(new X509Certificate(authority).publicKey))
      return 'it is signed by another authority'
    return null
  } catch (cause) {
    return messageOf(cause)
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
