import assert from 'node:assert/strict'
import { planMarkOf } from '../../../../../shared/core/plan-mark.ts'
import { type Agent, pair, renewMs, reserveMs, Witness } from '../../clusters/cluster-fixture.ts'

const alone = pair.filter(({ name }) => name === 'lb01')

/** lb02 was removed; lb01 is connected, stands by, and has read an answer from after that. */
function without(): { witness: Witness; lb01: Agent } {
  const witness = Witness.settled()
  const [lb01] = witness.agents()
  witness.members(alone)
  witness.pass(1)
  lb01.again()
  return { witness, lb01 }
}

const mark = planMarkOf({ nodes: alone })

function settled({ happened }: Witness): object[] {
  return happened.filter(({ type }) => type === 'plan-settled')
}

describe('a plan without a node that was removed', () => {
  it('is settled when the agent has had it on disk for as long as a promise lasts', () => {
    const { witness, lb01 } = without()
    lb01.planKept = mark
    lb01.again()
    witness.pass(reserveMs - 1, lb01)
    assert.deepEqual(settled(witness), [])
    witness.pass(1)
    lb01.again()
    assert.deepEqual(settled(witness), [{ type: 'plan-settled', node: 'lb01', members: ['lb01'] }])
  })

  it('is settled once, and not again with each heartbeat', () => {
    const { witness, lb01 } = without()
    lb01.planKept = mark
    witness.pass(2 * reserveMs, lb01)
    assert.equal(settled(witness).length, 1)
  })

  it('is not settled by an agent that says nothing of its plan, or has the one before', () => {
    for (const planKept of [undefined, `${mark} lb02#1`, '']) {
      const { witness, lb01 } = without()
      lb01.planKept = planKept
      witness.pass(3 * reserveMs, lb01)
      assert.deepEqual(settled(witness), [], String(planKept))
    }
  })

  it('is not settled by beats from before the members changed, though the plan is the same by chance', () => {
    const witness = Witness.settled({ members: alone })
    const lb01 = witness.agent('lb01')
    lb01.planKept = mark
    lb01.beat()
    witness.pass(1)
    witness.members(pair)
    witness.pass(1)
    witness.members(alone)
    const readMs = lb01.echoMs
    for (let beats = 0; beats < 8; beats++) {
      lb01.again()
      lb01.echoMs = readMs
      witness.pass(renewMs)
    }
    assert.deepEqual(settled(witness), [], 'it has read no answer from after the change')
    lb01.again()
    witness.pass(reserveMs + 2 * renewMs, lb01)
    assert.equal(settled(witness).length, 1)
  })

  it('is settled again where a node came and went between two heartbeats', () => {
    const { witness, lb01 } = without()
    lb01.planKept = mark
    witness.pass(2 * reserveMs, lb01)
    witness.members(pair)
    witness.members(alone)
    witness.pass(2 * reserveMs, lb01)
    assert.equal(settled(witness).length, 2)
  })

  it('waits anew after another plan, another connection and a jump of the clock', () => {
    const changes: ((at: { witness: Witness; lb01: Agent }) => void)[] = [
      ({ lb01 }) => {
        lb01.planKept = `${mark} lb02#1`
        lb01.again()
        lb01.planKept = mark
      },
      ({ lb01 }) => {
        lb01.greet()
      },
      ({ witness }) => {
        const gap = { gapMs: 1000, jumpedMs: 900 }
        witness.feed({ type: 'resumed', atMs: witness.atMs, ...gap })
      },
    ]
    for (const change of changes) {
      const { witness, lb01 } = without()
      lb01.planKept = mark
      witness.pass(reserveMs - renewMs, lb01)
      change({ witness, lb01 })
      witness.pass(reserveMs, lb01)
      assert.deepEqual(settled(witness), [])
      witness.pass(2 * renewMs, lb01)
      assert.equal(settled(witness).length, 1)
    }
  })
})
