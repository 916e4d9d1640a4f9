import assert from 'node:assert/strict'
import { inFirstRelease } from '../../../../shared/protocol/first-release.ts'
import { parseFromAgent, parseFromVoter } from '../../../../shared/protocol/messages.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { readFromAgent, readFromVoter } from '../../../fixtures/first-release.ts'

interface Said {
  readonly type: string
  readonly [field: string]: unknown
}

const later = { laterField: { within: [1] } }
const profile = {
  instance: 'VI_1',
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 100,
  nopreempt: false,
  advertIntMs: 1000,
  downTimerAdverts: 2,
  weights: 'told',
  vips: ['10.0.0.100/24'],
  ...later,
}
const report = {
  instance: 'VI_1',
  phase: 'standby',
  why: 'may become MASTER',
  keepalived: 'BACKUP',
  process: 'running',
  vips: 'gone',
  lettingGo: true,
  priority: 90,
  configuredPriority: 100,
  priorityMayDiffer: true,
  nopreempt: false,
  ask: { epoch: 7, ...later },
  release: false,
  epoch: 7,
  witnessEpoch: 7,
  peerSilentMs: null,
  checkSilentMs: 100,
  gateway: 'unknown',
  fence: { number: 1, reason: 'a test', result: 'proved', rung: 'bar', tookMs: 3, ...later },
  warnings: ['one'],
  left: { kind: 'leaving', to: 'lb02', epoch: 7, because: 'witness-silent', ...later },
  keepsVote: 6,
  witnessSilentMs: 400_000,
  ...later,
}
const verdict = {
  instance: 'VI_1',
  vote: { kind: 'refused', reason: 'conflict', text: 'a test', ...later },
  holder: null,
  renewedAgoMs: null,
  epoch: 7,
  returnsVote: 6,
  countsVote: 6,
  unmatched: true,
  ...later,
}
const plan = {
  cluster: 'web',
  timing: { ...defaultTiming, ...later },
  nodes: [{ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 2, ...later }],
  ...later,
}

/** Every field of today, and one of tomorrow in each place. */
const fromAgent: readonly Said[] = [
  {
    type: 'hello',
    protocol: 1,
    cluster: 'web',
    node: 'lb01',
    incarnation: 'incarnation-1',
    bootId: 'boot-0001',
    software: 'witness-agent 0.2.0',
    listener: { address: null, port: 7401, ...later },
    mode: 'enforce',
    profiles: [profile],
    ...later,
  },
  { type: 'beat', seq: 1, echoMs: null, leaseMs: 1800, reports: [report], ...later },
  { type: 'tell', instance: 'VI_1', event: 'unmatched', level: 'critical', text: 'a test', ...later },
  {
    type: 'drilled',
    instance: 'VI_1',
    role: 'standby',
    result: 'passed',
    rungs: [{ rung: 'bar', proved: true, tookMs: 2, ...later }],
    backMs: 100,
    text: 'a test',
    ...later,
  },
]
const fromVoter: readonly Said[] = [
  { type: 'welcome', protocol: 1, voter: 'witness', plan, ...later },
  { type: 'welcome', protocol: 1, voter: 'lb02', plan: null },
  { type: 'answer', seq: 1, atMs: 5, verdicts: [verdict], ...later },
  { type: 'order', instance: 'VI_1', what: 'drill', epoch: 7, reason: 'a test', ...later },
  { type: 'plan', plan, ...later },
  { type: 'renew', ...later },
  { type: 'superseded', ...later },
]

const directions = [
  ['an agent', fromAgent, readFromAgent, parseFromAgent],
  ['a voter', fromVoter, readFromVoter, parseFromVoter],
] as const

for (const [who, messages, readThen, readNow] of directions)
  describe(`each message of ${who}`, () => {
    for (const message of messages) {
      it(`is read by 0.1.0 as if an old program had sent it: ${message.type}`, () => {
        assert.throws(() => readThen(JSON.stringify({ ...message, ...later })))
        const told = inFirstRelease(message)
        const read = readThen(JSON.stringify(told))
        // Nothing that 0.1.0 knows is missing.
        assert.deepEqual(JSON.parse(JSON.stringify(read)), told)
      })

      it(`is read today without the fields of tomorrow: ${message.type}`, () => {
        const read = readNow(JSON.stringify(message))
        assert.ok(!JSON.stringify(read).includes('laterField'))
        assert.deepEqual(readNow(JSON.stringify(read)), read)
      })
    }
  })

describe('a message that 0.1.0 does not know', () => {
  it('is not for it', () => {
    assert.equal(inFirstRelease({ type: 'tomorrow' }), null)
    assert.equal(inFirstRelease({}), null)
  })
})
