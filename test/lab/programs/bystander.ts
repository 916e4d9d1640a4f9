/**
 * An enrolled node that does nothing special: heartbeats to the witness over the agent's own link. Arguments: the
 * folder of its credentials, cluster, node, URL of the witness, ms between heartbeats. One line for each heartbeat to
 * stdout: when it was due (wall clock, ms) and how many ms later it was answered; `-`: not within three seconds. It
 * ends with its host.
 */
import { randomUUID } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { refusalOfWitness } from '../../../agent/voters/identity.ts'
import { VoterLink } from '../../../agent/voters/link.ts'
import { readCredentials } from '../../../shared/identity/credentials.ts'
import { secureContextOf } from '../../../shared/network/secure-server.ts'

const [folder = '', cluster = '', node = '', url = '', everyMs = ''] = process.argv.slice(2)
const credentials = readCredentials(folder, 'the lab enrols its bystanders')
const bootId = randomUUID()
const waiting = new Map<number, number>()
/** The wall clock minus the clock with which heartbeats are timed. */
const offsetMs = Date.now() - performance.now()

const link = new VoterLink({
  voter: 'witness',
  url,
  secureContext: () => createSecureContext(secureContextOf(credentials)),
  refusalOf: refusalOfWitness,
  hello: (incarnation) => ({
    type: 'hello',
    protocol: 1,
    cluster,
    node,
    incarnation,
    bootId,
    software: 'bystander',
    listener: { address: null, port: 7401 },
    mode: 'enforce',
    profiles: [],
  }),
  newIncarnation: () => randomUUID(),
  renewMs: () => 250,
  nowMs: () => performance.now(),
  monotonicMs: () => performance.now(),
  jitter: () => Math.random(),
  on: {
    up: () => undefined,
    down: (reason) => process.stderr.write(`${new Date().toISOString()} ${node} down: ${reason}\n`),
    answer: ({ answer: { seq } }) => {
      const dueAtMs = waiting.get(seq)
      if (dueAtMs === undefined) return
      waiting.delete(seq)
      tell(dueAtMs, (performance.now() - dueAtMs).toFixed(1))
    },
    order: () => undefined,
    plan: () => undefined,
  },
})

function tell(dueAtMs: number, late: string): void {
  process.stdout.write(`${(offsetMs + dueAtMs).toFixed(1)} ${late}\n`)
}

const patienceMs = 3000
setInterval(() => {
  const atMs = performance.now()
  for (const [number, sinceMs] of waiting) {
    if (atMs - sinceMs < patienceMs) break
    waiting.delete(number)
    tell(sinceMs, '-')
  }
}, 100)

let seq = 0
let dueAtMs = performance.now()
setInterval(() => {
  const atMs = performance.now()
  link.watch(atMs)
  // Heartbeats for which this process was too late count as late, too.
  for (; dueAtMs <= atMs; dueAtMs += Number(everyMs)) {
    seq += 1
    waiting.set(seq, dueAtMs)
    link.beat({ atMs, seq, leaseMs: 1800, reports: [] })
  }
}, 5)
