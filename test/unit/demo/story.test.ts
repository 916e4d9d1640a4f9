import assert from 'node:assert/strict'
import { storyOf } from '../../demo/story.ts'
import { aloneRun, witnessRun } from './example-run.ts'

const kinds = (run: Parameters<typeof storyOf>[0]): string[] =>
  storyOf(run, []).map(({ actor, fact }) => `${actor} ${fact.kind}`)

describe('the story of a run', () => {
  it('tells how keepalived alone stays in split brain until the block ends', () => {
    assert.deepEqual(kinds(aloneRun()), [
      'firewall blocked',
      'lb02 takes-vip',
      'both still-split',
      'firewall admitted',
      'lb02 loses-vip',
    ])
  })

  it('counts the split from the moment the second node took the VIP', () => {
    const still = storyOf(aloneRun(), []).find(({ fact }) => fact.kind === 'still-split')?.fact
    assert.deepEqual(still, { kind: 'still-split', forMs: 5000 })
  })

  it('tells who did what with the witness, and what it warned of, from the beginning of the fault', () => {
    assert.deepEqual(kinds(witnessRun()), [
      'firewall blocked',
      'lb02 takes-vip',
      'lb02 agent gives-up',
      'lb02 loses-vip',
      'witness sees-two',
      'lb02 agent proof',
      'witness sees-one',
      'firewall admitted',
      'lb02 agent starts-again',
      'witness event',
    ])
  })

  it('takes the time of the proof from the report of the agent', () => {
    const proof = storyOf(witnessRun(), []).find(({ fact }) => fact.kind === 'proof')?.fact
    assert.deepEqual(proof, { kind: 'proof', rung: 'bar', tookMs: 20 })
  })

  it('tells of a client that moves to the other node and then finds nobody, but not of a single lost page', () => {
    const run = aloneRun()
    const { fromMs } = run.spans.fault
    const attempts = [
      { atMs: fromMs + 20, answeredBy: 'lb01' },
      { atMs: fromMs + 40, answeredBy: null },
      { atMs: fromMs + 60, answeredBy: 'lb01' },
      { atMs: fromMs + 3100, answeredBy: 'lb02' },
      { atMs: fromMs + 9000, answeredBy: null },
    ]
    const ofClient = storyOf(run, attempts).filter(({ actor }) => actor === 'client')
    assert.deepEqual(
      ofClient.map(({ fact }) => fact),
      [
        { kind: 'other-answers', node: 'lb02' },
        { kind: 'dark', forMs: 11_000, toTheEnd: true },
      ],
    )
  })
})
