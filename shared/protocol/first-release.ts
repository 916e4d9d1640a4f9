/**
 * What version 0.1.0 reads. It closes a connection on which it finds a field that it does not know; every later version
 * drops such a field (decision 71), and says so when a connection is made. To a program that does not say so, only the
 * fields of 0.1.0 are sent. Each later field is optional, so the old program decides as beside another old one.
 */

/** Each side sends it with the HTTP headers of the WebSocket handshake. */
export const readsHeader = { name: 'keepalived-witness-reads', value: 'unknown-fields' } as const

/** `true`: as it is. A list in a list: each entry. */
type Shape = true | readonly [Shape] | { readonly [field: string]: Shape }

const plan: Shape = {
  cluster: true,
  timing: {
    renewMs: true,
    leaseMs: true,
    releaseMs: true,
    grainMs: true,
    checkMs: true,
    reserveMs: true,
    claimMs: true,
    handoverMs: true,
    driftPpm: true,
    gate: true,
  },
  nodes: [{ name: true, address: true, port: true, leastGeneration: true }],
}

const profile: Shape = {
  instance: true,
  virtualRouterId: true,
  interface: true,
  version: true,
  priority: true,
  nopreempt: true,
  advertIntMs: true,
  vips: true,
}

const report: Shape = {
  instance: true,
  phase: true,
  why: true,
  keepalived: true,
  process: true,
  vips: true,
  priority: true,
  nopreempt: true,
  ask: { epoch: true },
  release: true,
  epoch: true,
  witnessEpoch: true,
  peerSilentMs: true,
  checkSilentMs: true,
  gateway: true,
  fence: { number: true, reason: true, result: true, rung: true, tookMs: true },
  warnings: true,
  left: { kind: true, to: true, epoch: true },
  keepsVote: true,
}

const verdict: Shape = {
  instance: true,
  vote: { kind: true, epoch: true, reason: true, text: true },
  holder: true,
  renewedAgoMs: true,
  epoch: true,
  returnsVote: true,
  countsVote: true,
}

const messages: Readonly<Record<string, Shape>> = {
  hello: {
    type: true,
    protocol: true,
    cluster: true,
    node: true,
    incarnation: true,
    bootId: true,
    software: true,
    listener: { address: true, port: true },
    mode: true,
    profiles: [profile],
  },
  beat: { type: true, seq: true, echoMs: true, leaseMs: true, reports: [report] },
  tell: { type: true, instance: true, event: true, level: true, text: true },
  drilled: {
    type: true,
    instance: true,
    role: true,
    result: true,
    rungs: [{ rung: true, proved: true, tookMs: true }],
    backMs: true,
    text: true,
  },
  welcome: { type: true, protocol: true, voter: true, plan },
  answer: { type: true, seq: true, atMs: true, verdicts: [verdict] },
  order: { type: true, instance: true, what: true, epoch: true, reason: true },
  plan: { type: true, plan },
  renew: { type: true },
  superseded: { type: true },
}

/** The message without what 0.1.0 does not know; null: it does not know the message at all. */
export function inFirstRelease(message: object): object | null {
  const shape = 'type' in message && typeof message.type === 'string' ? messages[message.type] : undefined
  return shape === undefined ? null : (pick(message, shape) as object)
}

function pick(value: unknown, shape: Shape): unknown {
  if (shape === true || value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const [entry] = shape as readonly [Shape]
    return value.map((each) => pick(each, entry))
  }
  const fields = shape as Readonly<Record<string, Shape>>
  return Object.fromEntries(
    Object.entries(value).flatMap(([field, of]) => {
      const known = fields[field]
      return known === undefined ? [] : [[field, pick(of, known)]]
    }),
  )
}
