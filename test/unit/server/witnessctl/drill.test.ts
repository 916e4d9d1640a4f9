import assert from 'node:assert/strict'
import type { EventView } from '../../../../shared/protocol/view.ts'
import { runDrill, type DrillClient, type DrillRequest } from '../../../../server/witnessctl/drill.ts'
import { painter } from '../../../../server/witnessctl/paint.ts'
import { event } from './example-views.ts'

const request: DrillRequest = { cluster: 'web', node: 'lb02', includingHolder: false, json: false }
const passed: EventView = {
  ...event(9),
  event: 'drill-passed',
  node: 'lb02',
  text: 'The drill of lb02 passed.',
  evidence: {
    ends: [
      {
        instance: 'VI_1',
        role: 'standby',
        rungs: [
          { rung: 'bar', proved: true, tookMs: 4 },
          { rung: 'stop', proved: true, tookMs: 1012 },
        ],
        backMs: 2300,
        takenBy: null,
        takeoverMs: null,
      },
    ],
  },
}

interface Played {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly asked: unknown[]
  readonly pauses: number
}

/** @param lists what the witness answers, question after question; the last one stays */
async function play(
  lists: readonly EventView[][],
  change: Partial<DrillRequest> = {},
  { clusters = ['web'], mostPauses = 1000 }: { clusters?: string[]; mostPauses?: number } = {},
): Promise<Played> {
  const asked: unknown[] = []
  let out = ''
  let err = ''
  let pauses = 0
  let question = 0
  const client: DrillClient = {
    listClusters: () => Promise.resolve({ clusters: clusters.map((cluster) => ({ cluster })) }),
    startDrill: (wish) => {
      asked.push(wish)
      return Promise.resolve({
        node: wish.node,
        steps: [{ instance: 'VI_1', role: 'standby' }],
        afterEvent: 7,
      })
    },
    listEvents: (range) => {
      asked.push(range)
      const events = lists[Math.min(question, lists.length - 1)] ?? []
      question += 1
      return Promise.resolve(events)
    },
  }
  const code = await runDrill(
    client,
    { ...request, ...change },
    {
      output: { out: (text) => (out += text), err: (text) => (err += text) },
      paint: painter({ isTty: false, noColor: undefined }),
      pause: () => {
        pauses += 1
        return Promise.resolve(pauses < mostPauses)
      },
    },
  )
  return { code, out, err, asked, pauses }
}

describe('witnessctl drill', () => {
  it('waits for the end, and prints each rung with its time and the way back', async () => {
    const { code, out, asked, pauses } = await play([[], [event(8)], [event(8), passed]])
    assert.equal(code, 0)
    assert.equal(pauses, 2)
    assert.deepEqual(asked.slice(0, 2), [
      { cluster: 'web', node: 'lb02', includingHolder: false },
      { cluster: 'web', limit: 1000, after: 7 },
    ])
    assert.match(out, /bar +proved: VIP gone, keepalived in FAULT or gone +4 ms/)
    assert.match(out, /stop +proved.* 1012 ms/)
    assert.match(out, /back +keepalived takes part in VRRP again +2300 ms/)
    assert.match(out, /^PASSED {2}The drill of lb02 passed\.$/m)
  })

  it('says where the VIP is after the drill of a holder', async () => {
    const ends = [
      {
        instance: 'VI_1',
        role: 'holder',
        rungs: [{ rung: 'bar', proved: true, tookMs: 3 }],
        backMs: 5,
        takenBy: 'lb01',
        takeoverMs: 640,
      },
    ]
    const { out } = await play([[{ ...passed, evidence: { ends } }]])
    assert.match(out, /lb01 has the lease and the VIP +640 ms/)
    assert.match(out, /The VIP is on the other node now/)
  })

  it('ends with 3 where it failed, and shows which rung did not do its work', async () => {
    const ends = [
      {
        instance: 'VI_1',
        role: 'standby',
        rungs: [{ rung: 'bar', proved: false, tookMs: 50 }],
        backMs: null,
        takenBy: null,
        takeoverMs: null,
      },
    ]
    const failed = { ...passed, event: 'drill-failed', text: 'The drill of lb02 failed.', evidence: { ends } }
    const { code, out } = await play([[failed]])
    assert.equal(code, 2)
    assert.match(out, /bar +NOT proved +50 ms/)
    assert.match(out, /keepalived did not take part in VRRP again/)
    assert.match(out, /^FAILED /m)
  })

  it('does not take the drill of another node for its own', async () => {
    const { code } = await play([[{ ...passed, node: 'lb01' }], [passed]])
    assert.equal(code, 0)
  })

  it('ends with 1 where the end does not come, or is not waited for', async () => {
    const late = await play([[]])
    assert.equal(late.code, 1)
    assert.match(late.err, /has not ended yet/)
    const stopped = await play([[]], {}, { mostPauses: 3 })
    assert.deepEqual([stopped.code, stopped.pauses], [1, 3])
  })

  it('takes the only cluster where none is named, and asks for a name where there are several', async () => {
    const only = await play([[passed]], { cluster: null })
    assert.equal(only.code, 0)
    const several = await play([[passed]], { cluster: null }, { clusters: ['web', 'mail'] })
    assert.equal(several.code, 3)
    assert.match(several.err, /--cluster \(web, mail\)/)
    assert.deepEqual(several.asked, [])
  })

  it('gives the event as JSON', async () => {
    const { out } = await play([[passed]], { json: true })
    assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(passed)))
  })
})
