import assert from 'node:assert/strict'
import { AgentBudgets } from '../../../../server/agents/budgets.ts'
import type { FromAgent, Hello } from '../../../../shared/protocol/messages.ts'
import { nodeIdentity } from '../../../identities.ts'

const lb01 = nodeIdentity('lb01')
const lb02 = nodeIdentity('lb02')
const beat: FromAgent = { type: 'beat', seq: 1, echoMs: null, leaseMs: 1800, reports: [] }
const tell: FromAgent = { type: 'tell', instance: null, event: 'noise', level: 'info', text: 'x' }
const hello = (incarnation: string): Hello => ({
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node: 'lb01',
  incarnation,
  bootId: 'boot-of-lb01',
  software: 'test',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [],
})

describe('what one node may cost the witness', () => {
  let nowMs: number
  let budgets: AgentBudgets
  beforeEach(() => {
    nowMs = 0
    budgets = new AgentBudgets(() => nowMs)
  })
  const taken = (times: number, refusal: (index: number) => string | null): number =>
    Array.from({ length: times }, (_, index) => refusal(index)).filter((kind) => kind === null).length

  it('is sixteen connections at a time, and one more when one is gone', () => {
    assert.equal(
      taken(16, () => budgets.connected(lb01)),
      16,
    )
    assert.equal(budgets.connected(lb01), 'too-many-connections')
    assert.equal(budgets.connected(lb02), null)
    budgets.hungUp(lb01)
    assert.equal(budgets.connected(lb01), 'too-many-connections')
    budgets.hungUp(lb01)
    budgets.hungUp(lb01)
    assert.equal(budgets.connected(lb01), null)
  })

  it('is a rate of messages, whatever the connection and the generation of the certificate', () => {
    assert.equal(
      taken(1000, (index) => budgets.refusalOfMessage({ ...lb01, generation: 1 + (index % 3) })),
      300,
    )
    assert.equal(budgets.refusalOfMessage(lb01), 'too-many-messages')
    assert.equal(budgets.refusalOfMessage(lb02), null)
    nowMs += 1000
    assert.equal(
      taken(1000, () => budgets.refusalOfMessage(lb01)),
      100,
    )
  })

  it('is a rate of hellos that an agent which is refused and dials again does not reach', () => {
    assert.equal(
      taken(1000, () => budgets.refusalOf(lb01, hello('first-start'))),
      40,
    )
    for (let round = 0; round < 100; round++) {
      nowMs += 125
      assert.equal(budgets.refusalOf(lb01, hello('first-start')), null)
    }
  })

  it('is few starts, and two hosts with one name that come by turns are two', () => {
    for (let round = 0; round < 100; round++) {
      nowMs += 200
      assert.equal(budgets.refusalOf(lb01, hello(round % 2 === 0 ? 'first-start' : 'cloned-host')), null)
    }
    assert.equal(
      taken(30, (index) => budgets.refusalOf(lb01, hello(`start-${index}`))),
      10,
    )
    assert.equal(budgets.refusalOf(lb01, hello('start-999')), 'too-many-hellos')
    nowMs += 5000
    assert.equal(budgets.refusalOf(lb01, hello('start-999')), null)
  })

  it('is a number of things told, and no number of heartbeats but that of messages', () => {
    assert.equal(
      taken(500, () => budgets.refusalOf(lb01, tell)),
      100,
    )
    assert.equal(budgets.refusalOf(lb01, tell), 'too-many-tells')
    assert.equal(
      taken(500, () => budgets.refusalOf(lb01, beat)),
      500,
    )
  })
})
