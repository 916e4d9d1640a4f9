import assert from 'node:assert/strict'
import { type Attempt, clientFigures } from './web-client.ts'

const span = { fromMs: 0, toMs: 200 }

function attempts(answers: string): Attempt[] {
  const who: Readonly<Record<string, string>> = { '1': 'lb01', '2': 'lb02' }
  return answers.split('').map((answer, index) => ({ atMs: index * 20, answeredBy: who[answer] ?? null }))
}

describe('what the client saw', () => {
  it('is dark from the first unanswered attempt to the next answered one', () => {
    const figures = clientFigures(attempts('11---11-11'), span, { changes: [], rightful: 'lb01' })
    assert.deepEqual([figures.longestDarkMs, figures.darkMs, figures.answers], [60, 80, 6])
  })

  it('is dark to the end when nobody answers any more', () => {
    const figures = clientFigures(attempts('1111------'), span, { changes: [], rightful: 'lb01' })
    assert.equal(figures.longestDarkMs, 120)
  })

  it('counts answers of the other node as wrong only while both have the VIP', () => {
    const changes = [
      { node: 'lb01', atMs: -10, has: true },
      { node: 'lb02', atMs: 50, has: true },
      { node: 'lb01', atMs: 130, has: false },
    ] as const
    const figures = clientFigures(attempts('1112122222'), span, { changes, rightful: 'lb01' })
    assert.equal(figures.wrongAnswers, 3)
  })
})
