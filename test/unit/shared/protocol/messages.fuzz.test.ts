/** Whatever comes over a socket is a message of the protocol or a ProtocolError, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { instanceName, nodeName } from '../../../../shared/protocol/names.ts'
import { ProtocolError, parseFromAgent, parseFromVoter } from '../../../../shared/protocol/messages.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

const profile = {
  instance: 'VI_1',
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 100,
  nopreempt: false,
  advertIntMs: 1000,
  vips: ['10.0.0.100/24'],
}
const report = {
  instance: 'VI_1',
  phase: 'fencing',
  why: 'gives the VIP up',
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
  fence: { number: 1, reason: 'refused', result: 'running', rung: 'bar', tookMs: 0 },
  warnings: ['observe mode'],
}
const plan = {
  cluster: 'web',
  timing: defaultTiming,
  nodes: [{ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 }],
}
const verdict = { instance: 'VI_1', holder: 'lb01', renewedAgoMs: 0, epoch: 5 }
const fromAgent = [
  {
    type: 'hello',
    protocol: 1,
    cluster: 'web',
    node: 'lb01',
    incarnation: 'incarnation-1',
    bootId: 'boot-0001',
    software: 'witness-agent 0.1.0',
    listener: { address: null, port: 7401 },
    mode: 'enforce',
    profiles: [profile],
  },
  { type: 'beat', seq: 1, echoMs: null, leaseMs: 1800, reports: [report, { ...report, instance: 'VI_2' }] },
  { type: 'tell', instance: null, event: 'fenced', level: 'warning', text: 'the VIP is gone' },
]
const fromVoter = [
  { type: 'welcome', protocol: 1, voter: 'witness', plan },
  {
    type: 'answer',
    seq: 1,
    atMs: 5000,
    verdicts: [
      { ...verdict, vote: { kind: 'granted', epoch: 5 } },
      { ...verdict, vote: { kind: 'refused', reason: 'promised', text: 'lb02 has the vote' } },
    ],
  },
  { type: 'order', instance: 'VI_1', what: 'fence', epoch: 5, reason: 'lb02 holds the lease' },
  { type: 'plan', plan },
]
const messages = [...fromAgent, ...fromVoter]

/** What stands in the place of a value, as JSON text, so that it may be what no JavaScript object is. */
const oddValue = fc.oneof(
  fc.json(),
  fc.constantFrom('null', '{}', '[]', '""', 'true', '-0', '-1', '0.5', '1e999', '9007199254740993', '1e308'),
  fc.constantFrom(
    '"__proto__"',
    '"constructor"',
    '"witness"',
    '"\\u0000"',
    '"\\ud800"',
    `"${'x'.repeat(70_000)}"`,
  ),
  fc.constantFrom('{"__proto__":{"epoch":5}}', '{"constructor":{"prototype":{"epoch":5}}}'),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.integer({ min: 1, max: 5000 }).map((depth) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)),
)
const oddKey = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'type',
  'epoch',
  '',
  'x'.repeat(3000),
)

/** A message with one or more values replaced, or keys added twice, at any depth. */
const mutated = fc
  .tuple(
    fc.constantFrom(...messages),
    fc.array(fc.record({ at: fc.nat(200), value: oddValue, key: fc.option(oddKey) }), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([message, changes]) =>
    changes.reduce((text, { at, value, key }) => {
      // A place is the value after any colon.
      const colons = Array.from(text.matchAll(/":/g), (match) => match.index + 2)
      const start = colons[at % colons.length] ?? 0
      if (key !== null) return `${text.slice(0, start)}${value},${JSON.stringify(key)}:${text.slice(start)}`
      return `${text.slice(0, start)}${value}${text.slice(start).replace(/^("[^"]*"|[^,{}[\]]*)/, '')}`
    }, JSON.stringify(message)),
  )
/** A message with bytes of its text changed, cut out or put in. */
const damaged = fc
  .tuple(
    fc.constantFrom(...messages),
    fc.array(fc.tuple(fc.nat(1000), fc.nat(3), fc.string({ maxLength: 3 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([message, changes]) =>
    changes.reduce((text, [at, cut, put]) => {
      const start = at % text.length
      return text.slice(0, start) + put + text.slice(start + cut)
    }, JSON.stringify(message)),
  )
const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
  fc.json(),
  damaged,
  damaged,
  mutated,
  mutated,
)

/** @returns the message, or null where it was refused as it should be */
function read(parse: (data: string) => unknown, data: string): unknown {
  try {
    return parse(data)
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error))
    assert.ok(error.message.length <= 200, 'a stranger must not fill the log')
    return null
  }
}

describe('the protocol under fuzz', function () {
  this.timeout(60_000)
  it('reads of a message what was said and nothing else, or refuses it with a ProtocolError', () => {
    const everyProperty = Object.getOwnPropertyNames(Object.prototype).join()
    fc.assert(
      fc.property(anything, (data) => {
        for (const parse of [parseFromAgent, parseFromVoter]) {
          const message = read(parse, data)
          if (message !== null) assertSaid(message, JSON.parse(data))
        }
        assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), everyProperty)
      }),
      { numRuns: storiesFrom(1000) },
    )
  })

  it('reads some of what is only slightly changed: the fuzz reaches beyond the first check', () => {
    const readable = fc
      .sample(fc.oneof(mutated, damaged), 1000)
      .filter((data) => read(parseFromAgent, data) !== null || read(parseFromVoter, data) !== null)
    assert.ok(readable.length > 10, `${readable.length} of 1000`)
  })

  it('refuses names that every object has: they would be found in ledgers where they are not', () => {
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      assert.equal(instanceName.safeParse(name).success, false, name)
      assert.equal(nodeName.safeParse(name).success, false, name)
    }
  })

  it('keeps nothing of the messages that it read, good and bad', () => {
    const texts = [...messages.map((message) => JSON.stringify(message)), ...fc.sample(anything, 500)].filter(
      (text) => text.length < 1000,
    )
    const readAll = (count: number): number => {
      for (let i = 0; i < count; i++) {
        const text = texts[i % texts.length] ?? ''
        read(i % 2 === 0 ? parseFromAgent : parseFromVoter, text)
      }
      return heapUsedBytes()
    }
    const before = readAll(10_000)
    const after = readAll(storiesFrom(30_000))
    assert.ok(after - before < 2_000_000, `${after - before} bytes more`)
  })
})

const withDefault: ReadonlySet<string> = new Set(['leastGeneration', 'gate', 'delegateAfterMs'])

/** What was read has only fields that were said, with what was said in them; others may have been dropped. */
function assertSaid(read: unknown, said: unknown): void {
  if (typeof read !== 'object' || read === null || typeof said !== 'object' || said === null)
    return assert.deepEqual(read, said)
  if (Array.isArray(read)) assert.equal(read.length, (said as unknown[]).length)
  for (const [field, value] of Object.entries(read)) {
    // Those of an earlier version may be absent, and get their default.
    if (!Object.hasOwn(said, field) && withDefault.has(field)) continue
    assert.ok(Object.hasOwn(said, field), field)
    assertSaid(value, (said as Record<string, unknown>)[field])
  }
}

function heapUsedBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc()')
  return process.memoryUsage().heapUsed
}
