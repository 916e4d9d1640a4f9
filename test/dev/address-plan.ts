/**
 * Who listens where. Linux takes every address of 127.0.0.0/8 for its own, so each program gets an address without any
 * change to the host. Between two programs stands a relay with an address of its own: whoever dials knows only the relay.
 */
export const nodes = ['lb01', 'lb02'] as const
export type DevNode = (typeof nodes)[number]

export const cluster = 'web'
export const instance = 'VI_1'
/** TEST-NET-1 (RFC 5737): no host has it. */
export const vip = '192.0.2.100'
/** lb01 is the one that keepalived prefers. */
export const priorities: Readonly<Record<DevNode, number>> = { lb01: 150, lb02: 100 }

export const witnessAddress = '127.0.0.20'
/** Of the agent, and of the keepalived beside it. */
export const addressOf: Readonly<Record<DevNode, string>> = { lb01: '127.0.0.11', lb02: '127.0.0.12' }
/** Where the other node reaches this node's agent. */
export const relayTo: Readonly<Record<DevNode, string>> = { lb01: '127.0.1.11', lb02: '127.0.1.12' }
/** Where this node's agent reaches the witness. */
export const relayToWitness: Readonly<Record<DevNode, string>> = { lb01: '127.0.1.21', lb02: '127.0.1.22' }

export function peerOf(node: DevNode): DevNode {
  return node === 'lb01' ? 'lb02' : 'lb01'
}
