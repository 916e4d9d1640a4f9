/**
 * One authority for all tests of a process, and what it gave to those who are met in them. Made once: a key costs a
 * millisecond, and nothing here is changed.
 */
import { Authority, type KeyAndCertificate } from '../server/registry/authority.ts'
import type { Credentials } from '../shared/identity/credentials.ts'
import { uriOf, type Identity, type NodeIdentity } from '../shared/identity/identity.ts'
import { makeKeyRequest } from '../shared/identity/key-request.ts'

export type OwnCredentials = Credentials & { readonly identity: Identity }

export const authority = await Authority.inMemory()
/** Of somebody else: the same names, another key. */
export const foreignAuthority = await Authority.inMemory()

const made = new Map<string, Promise<OwnCredentials>>()

/** The same each time for the same identity. */
export function credentialsOf(identity: Identity, by: Authority = authority): Promise<OwnCredentials> {
  const name = `${by.fingerprint} ${uriOf(identity)}`
  let credentials = made.get(name)
  if (credentials === undefined) {
    credentials = issue(identity, by)
    made.set(name, credentials)
  }
  return credentials
}

export function nodeIdentity(node: string, { cluster = 'web', generation = 1 } = {}): NodeIdentity {
  return { kind: 'node', cluster, node, generation }
}

async function issue(identity: Identity, by: Authority): Promise<OwnCredentials> {
  return { ...(await keyAndCertificate(identity, by)), authority: by.certificatePem, identity }
}

async function keyAndCertificate(identity: Identity, by: Authority): Promise<KeyAndCertificate> {
  switch (identity.kind) {
    case 'witness': {
      const { key, certificate } = await by.issue(identity)
      // As the witness shows it: a node that joins finds the authority in the chain.
      return { key, certificate: certificate + by.certificatePem }
    }
    case 'admin':
      return by.issue(identity)
    case 'node': {
      const { key, request } = await makeKeyRequest()
      const { cluster, node, generation } = identity
      return { key, certificate: await by.signNode({ request, cluster, node, generation }) }
    }
  }
}

export const witnessCredentials = await credentialsOf({ kind: 'witness' })
export const adminCredentials = await credentialsOf({ kind: 'admin', name: 'local' })
/** Of cluster `web`. */
export const lb01Credentials = await credentialsOf(nodeIdentity('lb01'))
export const lb02Credentials = await credentialsOf(nodeIdentity('lb02'))

export interface Identities {
  readonly authority: Authority
  readonly witness: Credentials
  readonly admin: Credentials
  node(over?: Partial<NodeIdentity>): Promise<Credentials>
}

/** The authority of all tests, or another one. */
export async function identitiesOf(by: Authority): Promise<Identities> {
  return {
    authority: by,
    witness: await credentialsOf({ kind: 'witness' }, by),
    admin: await credentialsOf({ kind: 'admin', name: 'local' }, by),
    node: (over = {}) => credentialsOf({ ...nodeIdentity('lb01'), ...over }, by),
  }
}

export function identities(): Promise<Identities> {
  return identitiesOf(authority)
}
