import assert from 'node:assert/strict'
import { leaseHolder } from '../../../../../server/core/arbiter/lease-holder.ts'
import {
  claiming,
  holding,
  instance,
  silentAfterMs,
  standby,
  Witness,
} from '../../clusters/cluster-fixture.ts'

/** A witness that has only just started: it gives its own vote to nobody yet. */
const holderSeenBy = (witness: Witness, of = instance): string | null => {
  const { instances, nodes } = witness.arbiter
  return leaseHolder(
    { voter: instances.get(of)?.voter, nodes, instance: of },
    { atMs: witness.atMs, silenceMs: silentAfterMs },
  )
}

describe('the holder of a lease', () => {
  it('is the node that has the witness’s promise, whatever others say', () => {
    const witness = Witness.settled()
    const [lb01, lb02] = witness.agents()
    lb01.win(1)
    lb02.beat({ ...holding(1), ask: null })
    assert.equal(holderSeenBy(witness), 'lb01')
  })

  it('is the one live node that says so while the witness has promised nothing', () => {
    const witness = new Witness()
    const [lb01] = witness.agents()
    lb01.beat({ ...holding(4), ask: null })
    assert.equal(holderSeenBy(witness), 'lb01')
  })

  it('is not known where two live nodes say so', () => {
    const witness = new Witness()
    for (const agent of witness.agents()) agent.beat({ ...holding(4), ask: null })
    assert.equal(holderSeenBy(witness), null)
  })

  it('is the live one where the other of two that say so has fallen silent', () => {
    const witness = new Witness()
    const [lb01, lb02] = witness.agents()
    lb02.beat({ ...holding(3), ask: null })
    lb01.beat({ ...holding(4), ask: null })
    witness.pass(silentAfterMs, lb01)
    assert.equal(holderSeenBy(witness), 'lb01')
    lb02.close()
    witness.pass(silentAfterMs)
    assert.equal(holderSeenBy(witness), null)
  })

  it('is nobody where nobody says so, and of an instance that nobody mentioned', () => {
    const witness = new Witness()
    const [lb01] = witness.agents()
    lb01.say([{ ...standby, ...claiming(4) }])
    assert.equal(holderSeenBy(witness), null)
    assert.equal(holderSeenBy(witness, 'VI_2'), null)
  })
})
