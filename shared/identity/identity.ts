/**
 * Who is on the other end of a connection, as its certificate says. SECURITY.md lists what each may do.
 *
 * A certificate names its owner by one URI in its subject alternative names:
 * `urn:keepalived-witness:node:CLUSTER:NODE:GENERATION`, `urn:keepalived-witness:admin:NAME` or
 * `urn:keepalived-witness:witness`. The authority is the witness; it signs nothing but these.
 */
import type { X509Certificate } from 'node:crypto'
import { assertNever } from '../assert-never.ts'
import { type NodeName, clusterName, mostGenerations, nodeName } from '../protocol/names.ts'

export interface NodeIdentity {
  readonly kind: 'node'
  readonly cluster: string
  readonly node: NodeName
  /**
   * Grows by one with each enrolment and each rotation of this node: the witness tells everybody the least that is
   * still valid, so that an older certificate is worth nothing from then on.
   */
  readonly generation: number
}

export type Identity =
  { readonly kind: 'witness' } | { readonly kind: 'admin'; readonly name: string } | NodeIdentity

/**
 * A DNS name that only the witness's certificate carries. curl cannot check a URI, so it is told to expect this name,
 * whatever the address of the witness. The top-level domain is reserved for private use.
 */
export const witnessServerName = 'witness.keepalived-witness.internal'

const prefix = 'urn:keepalived-witness'

export function uriOf(identity: Identity): string {
  switch (identity.kind) {
    case 'witness':
      return `${prefix}:witness`
    case 'admin':
      return `${prefix}:admin:${identity.name}`
    case 'node':
      return `${prefix}:node:${identity.cluster}:${identity.node}:${identity.generation}`
    default:
      return assertNever(identity)
  }
}

/** Null: not a URI that this project's authority would sign. */
export function parseIdentityUri(uri: string): Identity | null {
  const parts = uri.split(':')
  const [scheme, project, kind, ...rest] = parts
  if (`${scheme}:${project}` !== prefix) return null
  if (kind === 'witness' && rest.length === 0) return { kind }
  if (kind === 'admin' && rest.length === 1) {
    const name = clusterName.safeParse(rest[0])
    return name.success ? { kind, name: name.data } : null
  }
  if (kind !== 'node' || rest.length !== 3) return null
  const cluster = clusterName.safeParse(rest[0])
  const node = nodeName.safeParse(rest[1])
  const generation = Number(rest[2])
  if (
    !cluster.success ||
    !node.success ||
    !/^[1-9]\d{0,9}$/.test(rest[2] ?? '') ||
    generation > mostGenerations
  )
    return null
  return { kind, cluster: cluster.data, node: node.data, generation }
}

/** The owner of a certificate that the TLS layer has verified against the authority; null: it names none of these. */
export function identityOf(certificate: X509Certificate): Identity | null {
  // Node.js quotes what could be mistaken for a separator, and no name of ours needs quoting.
  const uris = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'))
  const [uri] = uris
  return uri === undefined || uris.length > 1 ? null : parseIdentityUri(uri.slice('URI:'.length))
}

/** For logs and refusals. */
export function describeIdentity(identity: Identity): string {
  switch (identity.kind) {
    case 'witness':
      return 'the witness'
    case 'admin':
      return `admin ${identity.name}`
    case 'node':
      return `node ${identity.cluster}/${identity.node}`
    default:
      return assertNever(identity)
  }
}
