/** What an attacker of the lab does, for a limited time and from one address of its own. */
export const attackKinds = [
  'storm',
  'handshakes',
  'silent-tcp',
  'silent-tls',
  'half-request',
  'drip',
  'pipeline',
  'idlers',
  'nobody',
  'foreign-authority',
  'impostor',
  'join',
  'frames',
  'replay',
  'replay-across',
  'slow-reader',
  'flood',
  'hellos',
  'tells',
  'checks',
] as const
export type AttackKind = (typeof attackKinds)[number]

export interface Attack {
  readonly kind: AttackKind
  readonly target: { readonly host: string; readonly port: number }
  /** One of the attacker's own. */
  readonly from: string
  /** Connections at the same time; for a storm, connections per second. */
  readonly many: number
  readonly lastsMs: number
  /** A folder with `identity.pem`; null: no certificate. */
  readonly identity: string | null
  /** Who the attacker is, or claims to be. */
  readonly as: { readonly cluster: string; readonly node: string }
}

/** How many attempts had each outcome. */
export type AttackCount = Readonly<Record<string, number>>
