import assert from 'node:assert/strict'
import { KeptPlan } from '../../../../agent/runtime/kept-plan.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import type { Plan } from '../../../../shared/protocol/plan.ts'
import { eventually } from '../../../fixtures/eventually.ts'

const member = (name: string) => ({ name, address: '10.0.0.11', port: 7401, leastGeneration: 3 })
const planOf = (...names: string[]): Plan => ({
  cluster: 'web',
  timing: defaultTiming,
  nodes: names.map(member),
})

describe('the plan on disk', () => {
  /** Writes end when the test says so. */
  const made = () => {
    const writes: { plan: Plan; end: (error?: Error) => void }[] = []
    const failures: unknown[] = []
    const store = {
      beyond: false,
      keepPlan: (plan: Plan) =>
        new Promise<void>((resolve, reject) => {
          writes.push({ plan, end: (error) => (error === undefined ? resolve() : reject(error)) })
        }),
      countsBeyond: () => store.beyond,
    }
    return { kept: new KeptPlan(store, (cause) => failures.push(cause)), store, writes, failures }
  }
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('is told when it is on disk, and not before', async () => {
    const { kept, writes } = made()
    assert.equal(kept.mark, undefined)
    kept.keep(planOf('lb02', 'lb01'))
    assert.equal(kept.mark, undefined)
    writes[0]?.end()
    await settled()
    assert.equal(kept.mark, 'lb01#3 lb02#3')
  })

  it('is told at once where it was found there', () => {
    const { kept } = made()
    kept.found(planOf('lb01'))
    assert.equal(kept.mark, 'lb01#3')
  })

  it('is not told by the end of the write of an earlier one', async () => {
    const { kept, writes } = made()
    kept.keep(planOf('lb01', 'lb02'))
    kept.keep(planOf('lb01'))
    writes[0]?.end()
    await settled()
    assert.equal(kept.mark, undefined)
    writes[1]?.end()
    await settled()
    assert.equal(kept.mark, 'lb01#3')
  })

  it('is not told while a delegated vote may count under an earlier one', () => {
    const { kept, store } = made()
    kept.found(planOf('lb01'))
    store.beyond = true
    assert.equal(kept.mark, undefined)
    store.beyond = false
    assert.equal(kept.mark, 'lb01#3')
  })

  it('is written again until the disk takes it, and no more once it is closed', async () => {
    const { kept, writes, failures } = made()
    kept.keep(planOf('lb01'))
    writes[0]?.end(new Error('ENOSPC'))
    await eventually('another write', () => writes.length === 2)
    assert.equal(failures.length, 1)
    assert.equal(kept.mark, undefined)
    writes[1]?.end()
    await settled()
    assert.equal(kept.mark, 'lb01#3')
    kept.close()
  })
})
