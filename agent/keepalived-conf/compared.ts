/** What of a vrrp_instance is read only to compare the two nodes: authentication, unicast and the first state. */
import type { Profile } from '../../shared/protocol/plan.ts'
import { all, knownWord, last, type Statement } from './statements.ts'

export interface ComparedOfInstance {
  readonly compared: NonNullable<Profile['compared']>
  /** The password as keepalived uses it; null: there is none. It leaves this host only as a proof to the peer. */
  readonly password: string | null
}

/** RFC 2338: what follows is not sent. */
const passwordLength = 8
const mostPeersTold = 16

export function comparedOf(
  instance: Statement,
  { version, isMaster }: { readonly version: 2 | 3; readonly isMaster: boolean },
): ComparedOfInstance {
  const { auth, password } = authenticationOf(instance, version)
  const peers = all(instance.block, 'unicast_peer')
    .flatMap(({ block }) => block ?? [])
    .flatMap(({ words }) => words[0] ?? [])
    .map((address) => address.slice(0, 64))
  const source = last(instance.block, 'unicast_src_ip', 'mcast_src_ip')
  const unicast =
    peers.length === 0
      ? null
      : {
          peers: peers.slice(0, mostPeersTold),
          source: source === undefined ? null : (knownWord(source, 1)?.slice(0, 64) ?? null),
        }
  return { compared: { state: isMaster ? 'MASTER' : 'BACKUP', auth, unicast }, password }
}

/** VRRPv3 has no authentication, and a type without a password is none. */
function authenticationOf(
  instance: Statement,
  version: 2 | 3,
): { readonly auth: 'none' | 'PASS' | 'AH'; readonly password: string | null } {
  const lines = all(instance.block, 'authentication').flatMap(({ block }) => block ?? [])
  const type = last(lines, 'auth_type')?.words[1]
  const line = last(lines, 'auth_pass')
  const password = line === undefined ? undefined : knownWord(line, 1)
  if (version === 3 || password === undefined || (type !== 'PASS' && type !== 'AH'))
    return { auth: 'none', password: null }
  return { auth: type, password: Buffer.from(password).subarray(0, passwordLength).toString('latin1') }
}
