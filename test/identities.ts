/**
 * Certificates for tests: one authority for each process, made when first asked for. What it issues is as real as the
 * witness's own.
 */
import { Authority } from '../server/authority.ts'
import type { Credentials } from '../shared/credentials.ts'
import type { NodeIdentity } from '../shared/identity.ts'
import { makeKeyRequest } from '../shared/key-request.ts'

export interface Identities {
  readonly authority: Authority
  readonly witness: Credentials
  readonly admin: Credentials
  /** By name, and the newest generation unless another is named. */
  node(over?: Partial<NodeIdentity>): Promise<Credentials>
}

let shared: Promise<Identities> | null = null

/** The same for every test of this process. */
export function identities(): Promise<Identities> {
  shared ??= Authority.inMemory().then(identitiesOf)
  return shared
}

/** Of an authority that nobody else trusts, or of a witness that runs. */
export async function identitiesOf(authority: Authority): Promise<Identities> {
  const { certificatePem } = authority
  const nodes = new Map<string, Promise<Credentials>>()
  return {
    authority,
    witness: { ...(await authority.issueWitness()), authority: certificatePem },
    admin: { ...(await authority.issueAdmin('local')), authority: certificatePem },
    node: (over = {}) => {
      const identity = { cluster: 'web', node: 'lb01', generation: 1, ...over }
      const key = JSON.stringify(identity)
      const known = nodes.get(key) ?? issueNode(authority, identity)
      nodes.set(key, known)
      return known
    },
  }
}

async function issueNode(authority: Authority, identity: Omit<NodeIdentity, 'kind'>): Promise<Credentials> {
  const { key, request } = await makeKeyRequest()
  const certificate = await authority.signNode({ ...identity, request })
  return { key, certificate, authority: authority.certificatePem }
}
