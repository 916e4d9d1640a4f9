import assert from 'node:assert/strict'
import fc from 'fast-check'
import { maxInstances, maxMessageBytes, mostGenerations } from '../../../../shared/protocol/names.ts'
import {
  type Answer,
  type Beat,
  type Hello,
  ProtocolError,
  type Welcome,
  parseFromAgent,
  parseFromVoter,
} from '../../../../shared/protocol/messages.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'

const hello: Hello = {
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node: 'lb01',
  incarnation: 'incarnation-1',
  bootId: 'boot-0001',
  software: 'witness-agent 0.1.0',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [
    {
      instance: 'VI_1',
      virtualRouterId: 51,
      interface: 'eth0',
      version: 2,
      priority: 100,
      nopreempt: false,
      advertIntMs: 1000,
      vips: ['10.0.0.100/24'],
    },
  ],
}
const report: Report = {
  instance: 'VI_1',
  phase: 'holding',
  why: 'holds the lease',
  keepalived: 'MASTER',
  process: 'running',
  vips: 'held',
  priority: 100,
  nopreempt: false,
  ask: { epoch: 5 },
  release: false,
  epoch: 5,
  witnessEpoch: 5,
  peerSilentMs: 120,
  checkSilentMs: null,
  gateway: 'reachable',
  fence: null,
  warnings: [],
}
const beat: Beat = { type: 'beat', seq: 1, echoMs: null, leaseMs: 1800, reports: [report] }
const answer: Answer = {
  type: 'answer',
  seq: 1,
  atMs: 5000,
  verdicts: [
    {
      instance: 'VI_1',
      vote: { kind: 'granted', epoch: 5 },
      holder: 'lb01',
      renewedAgoMs: 0,
      epoch: 5,
    },
  ],
}
const welcome: Welcome = {
  type: 'welcome',
  protocol: 1,
  voter: 'witness',
  plan: {
    cluster: 'web',
    timing: defaultTiming,
    nodes: [{ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 }],
  },
}

const refusedFromAgent = (message: unknown, says?: RegExp): void => {
  const data = typeof message === 'string' ? message : JSON.stringify(message)
  assert.throws(() => parseFromAgent(data), ProtocolError, data)
  if (says !== undefined) assert.throws(() => parseFromAgent(data), says)
}
const refusedFromVoter = (message: unknown): void => {
  const data = JSON.stringify(message)
  assert.throws(() => parseFromVoter(data), ProtocolError, data)
}

describe('protocol', () => {
  it('reads what an agent says as it was said', () => {
    const tell = { type: 'tell', instance: null, event: 'fenced', level: 'warning', text: 'x' }
    for (const message of [hello, beat, tell])
      assert.deepEqual(parseFromAgent(JSON.stringify(message)), message)
  })

  it('reads what a voter says as it was said', () => {
    const order = { type: 'order', instance: 'VI_1', epoch: 5, reason: 'x' }
    const orders = ['fence', 'announce', 'yield'].map((what) => ({ ...order, what }))
    const plan = { type: 'plan', plan: welcome.plan }
    for (const message of [welcome, answer, ...orders, plan, { type: 'renew' }])
      assert.deepEqual(parseFromVoter(JSON.stringify(message)), message)
    refusedFromVoter({ ...order, what: 'reboot' })
  })

  it('refuses what is not JSON, not an object, or of no known type', () => {
    for (const data of ['', '{', 'null', '[]', '7', '"beat"', '{"type":"grant"}', '{}'])
      refusedFromAgent(data)
  })

  it('names the field that is wrong', () => {
    refusedFromAgent({ ...beat, seq: 0 }, /seq/)
    refusedFromAgent({ ...beat, reports: [{ ...report, epoch: -1 }] }, /reports\.0\.epoch/)
  })

  it('drops fields that it does not know, at every depth: a newer sender may have them', () => {
    const [profile] = hello.profiles
    const newerHello = { ...hello, extra: 1, listener: { ...hello.listener, extra: {} } }
    const newerBeat = { ...beat, reports: [{ ...report, ask: { epoch: 5, extra: 1 }, extra: ['x'] }] }
    const newerAnswer = { ...answer, extra: null, verdicts: [{ ...answer.verdicts[0], extra: 1 }] }
    const newerWelcome = { ...welcome, plan: { ...welcome.plan, extra: 1 } }
    assert.deepEqual(
      parseFromAgent(JSON.stringify({ ...newerHello, profiles: [{ ...profile, extra: 1 }] })),
      hello,
    )
    assert.deepEqual(parseFromAgent(JSON.stringify(newerBeat)), beat)
    assert.deepEqual(parseFromVoter(JSON.stringify(newerAnswer)), answer)
    assert.deepEqual(parseFromVoter(JSON.stringify(newerWelcome)), welcome)
  })

  it('still checks the fields that it knows beside one that it does not know', () => {
    refusedFromAgent({ ...beat, extra: 1, reports: [{ ...report, epoch: -1 }] }, /reports\.0\.epoch/)
    refusedFromVoter({ ...answer, verdicts: [{ ...answer.verdicts[0], extra: 1, holder: 7 }] })
    refusedFromAgent({ ...hello, protocol: 2, extra: 1 }, /protocol/)
  })

  it('drops a field that would replace the prototype of the message', () => {
    const read = parseFromAgent(JSON.stringify(beat).replace('{', '{"__proto__":{"admin":true},'))
    assert.deepEqual(read, beat)
    assert.equal(Object.getPrototypeOf(read), Object.prototype)
  })

  it('refuses an address of an agent that its peer could not dial', () => {
    const listener = (address: string): object => ({ ...hello, listener: { address, port: 7401 } })
    for (const address of ['10.0.0.11', '2001:db8::11', 'lb01.example', 'lb_01'])
      assert.deepEqual(parseFromAgent(JSON.stringify(listener(address))), listener(address))
    for (const address of ['', '10.0.0.11:7401', 'lb 01', 'me@lb01', 'lb01/', 'fe80::1%eth0', '999.0.0.1'])
      refusedFromAgent(listener(address), /listener\.address: an IP address .* or a host name is expected/)
  })
  it('refuses another version of the protocol', () => refusedFromAgent({ ...hello, protocol: 2 }, /protocol/))

  it('keeps each side to its own words', () => {
    refusedFromAgent(answer)
    refusedFromVoter(beat)
  })

  it('refuses a node that calls itself the witness', () =>
    refusedFromAgent({ ...hello, node: 'witness' }, /reserved for the witness/))

  it('refuses names that would leave the run folder or a log line', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', 'a b', 'a\nb', '-a', 'a'.repeat(64), 'lb01\u0000'])
      refusedFromAgent({ ...beat, reports: [{ ...report, instance: name }] })
    for (const name of ['', '.hidden', 'a/b', 'a:b', 'a'.repeat(64)])
      refusedFromAgent({ ...hello, node: name })
  })

  it('refuses epochs that are not whole, negative, or beyond exact numbers', () => {
    for (const epoch of [-1, 0.5, 2 ** 53, '5', null, Number.NaN])
      refusedFromAgent({ ...beat, reports: [{ ...report, ask: { epoch } }] })
  })

  it('refuses durations that are negative or not numbers', () => {
    for (const peerSilentMs of [-1, '0', true, 1e13])
      refusedFromAgent({ ...beat, reports: [{ ...report, peerSilentMs }] })
    refusedFromAgent({ ...beat, leaseMs: 0 })
  })

  it('bounds the number of instances, warnings and nodes', () => {
    const many = Array.from({ length: maxInstances + 1 }, (_, i) => ({ ...report, instance: `VI_${i}` }))
    refusedFromAgent({ ...beat, reports: many })
    assert.doesNotThrow(() => parseFromAgent(JSON.stringify({ ...beat, reports: many.slice(1) })))
    refusedFromAgent({ ...beat, reports: [{ ...report, warnings: Array<string>(9).fill('x') }] })
    const node = { name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 }
    refusedFromVoter({ ...welcome, plan: { ...welcome.plan, nodes: [node, node, node] } })
  })

  it('lets an agent with the most instances say so in one message', () => {
    const reports = Array.from({ length: maxInstances }, (_, i) => ({ ...report, instance: `VI_${i}` }))
    assert.ok(Buffer.byteLength(JSON.stringify({ ...beat, reports })) <= maxMessageBytes)
  })

  it('takes a plan of an earlier version, which says nothing of certificates', () => {
    const [node] = welcome.plan?.nodes ?? []
    const older = { name: node?.name, address: node?.address, port: node?.port }
    const message = parseFromVoter(
      JSON.stringify({ type: 'plan', plan: { ...welcome.plan, nodes: [older] } }),
    )
    assert.ok(message.type === 'plan')
    assert.deepEqual(message.plan.nodes, [{ ...older, leastGeneration: 1 }])
  })

  it('refuses a generation that no certificate can have', () => {
    const [node] = welcome.plan?.nodes ?? []
    for (const leastGeneration of [0, -1, 1.5, mostGenerations + 1, '1', null])
      refusedFromVoter({ type: 'plan', plan: { ...welcome.plan, nodes: [{ ...node, leastGeneration }] } })
  })

  it('refuses a plan whose timing is not a timing', () =>
    refusedFromVoter({
      ...welcome,
      plan: { ...welcome.plan, timing: { ...defaultTiming, leaseMs: undefined } },
    }))

  it('throws nothing but ProtocolError, whatever comes', () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), mutated()), (data) => {
        for (const parse of [parseFromAgent, parseFromVoter])
          try {
            parse(data)
          } catch (error) {
            assert.ok(error instanceof ProtocolError)
            assert.equal(error.code, 'protocol')
          }
      }),
    ))
})

/** A good beat with one field of its report replaced by anything. */
function mutated(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...Object.keys(report)), fc.anything())
    .map(([field, value]) => safeJson({ ...beat, reports: [{ ...report, [field]: value }] }))
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return '{}'
  }
}
