/**
 * A new key and certificate for this node, when the witness asks for one. A failed renewal changes nothing: the
 * current certificate stays valid until the new one is used.
 */
import { writeCredentials, type Credentials } from '../../shared/identity/credentials.ts'
import { makeKeyRequest } from '../../shared/identity/key-request.ts'
import { askWitness, endpointOf } from '../../shared/network/witness-request.ts'
import { readIssued } from './issued-certificate.ts'

const answerTimeoutMs = 10_000

/**
 * The new credentials are on disk when it settles, and should be used by connections from then on.
 * @param options.current proves who asks
 * @throws IssueError, WitnessRequestError, or the system's error where the state folder cannot be written
 */
export async function renewCredentials(options: {
  cluster: string
  node: string
  /** https://HOST:PORT */
  witness: string
  stateDir: string
  current: Credentials
}): Promise<Credentials> {
  const { cluster, node, witness, stateDir, current } = options
  const { authority } = current
  const { key, request } = await makeKeyRequest()
  const answer = await askWitness({
    ...endpointOf(witness),
    method: 'POST',
    path: '/api/v1/renew',
    body: { csr: request },
    authority,
    own: current,
    timeoutMs: answerTimeoutMs,
  })
  const { certificate } = readIssued(answer, { cluster, node, key, authority })
  const renewed = { key, certificate, authority }
  writeCredentials(stateDir, renewed)
  return renewed
}
