/** What an attacker of the lab is told to do: bounded in time, and from one address of its own. */
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
  /** Connections at a time, or in a second for a storm. */
  readonly many: number
  readonly lastsMs: number
  /** A folder with `identity.pem`; null: no certificate. */
  readonly identity: string | null
  /** Who the attacker is, or says it is. */
  readonly as: { readonly cluster: string; readonly node: string }
}

/** What came of it, by outcome. */
export type AttackCount = Readonly<Record<string, number>>
