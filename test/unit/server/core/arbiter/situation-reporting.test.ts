import assert from 'node:assert/strict'
import type { Judgement } from '../../../../../server/core/arbiter/judgement.ts'
import type { Situation } from '../../../../../shared/protocol/view.ts'
import { noteChange, nothingReported } from '../../../../../server/core/arbiter/situation-reporting.ts'

const windowMs = 10_000
const mostLines = 6

function judged(situation: Situation, subject: string | null = null): Judgement {
  const text = subject === null ? `It is ${situation}.` : `It is ${situation} of ${subject}.`
  return { situation, level: 'warning', subject, text, evidence: {}, decision: null }
}

/** An instance whose situation is judged anew at each instant that is given. */
class Instance {
  #reported = nothingReported
  #before: Judgement | null = null
  readonly lines: { atMs: number; text: string }[] = []

  is(judgement: Judgement, atMs: number): void {
    const { reported, line } = noteChange(this.#reported, { before: this.#before, judgement, atMs })
    this.#reported = reported
    this.#before = judgement
    if (line !== null) this.lines.push({ atMs, text: line })
  }

  texts(): string[] {
    return this.lines.map(({ text }) => text)
  }
}

describe('the reporting of a situation', () => {
  it('has one line for each change, and none while nothing changes', () => {
    const instance = new Instance()
    const course = ['normal', 'normal', 'dual-master', 'dual-master', 'normal'] as const
    course.forEach((situation, index) => instance.is(judged(situation), 250 * index))
    assert.deepEqual(instance.lines, [
      { atMs: 0, text: 'It is normal.' },
      { atMs: 500, text: 'It is dual-master.' },
      { atMs: 1000, text: 'It is normal.' },
    ])
  })

  it('takes another node for a change', () => {
    const instance = new Instance()
    instance.is(judged('agent-down', 'lb01'), 0)
    instance.is(judged('agent-down', 'lb02'), 250)
    assert.deepEqual(instance.texts(), ['It is agent-down of lb01.', 'It is agent-down of lb02.'])
  })

  it('does not say that a witness has just started, which says so itself', () => {
    const instance = new Instance()
    instance.is(judged('starting'), 0)
    instance.is(judged('starting'), 250)
    instance.is(judged('normal'), 500)
    assert.deepEqual(instance.texts(), ['It is normal.'])
  })

  it('has at most six lines in any ten seconds of what keeps changing, however long it does', () => {
    const instance = new Instance()
    const endMs = 65_000
    for (let atMs = 0; atMs < endMs; atMs += 100)
      instance.is(judged(atMs % 200 === 0 ? 'normal' : 'id-conflict'), atMs)
    for (const { atMs: fromMs } of instance.lines) {
      const within = instance.lines.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + windowMs)
      assert.ok(within.length <= mostLines, `${within.length} lines in ten seconds from ${fromMs}`)
    }
    assert.ok(instance.lines.length >= 6 * mostLines, `${instance.lines.length} lines in ${endMs} ms`)
  })

  it('ends with what is so now, and says how often it changed without a line', () => {
    const instance = new Instance()
    // Six lines, then nine changes without one: what stays is the other situation than in the sixth line.
    for (let change = 0; change < 15; change += 1)
      instance.is(judged(change % 2 === 0 ? 'id-conflict' : 'normal'), 100 * change)
    for (let atMs = 1500; atMs <= 2 * windowMs; atMs += 250) instance.is(judged('id-conflict'), atMs)
    assert.equal(instance.lines.length, mostLines + 1)
    assert.equal(
      instance.texts().at(-1),
      'It is id-conflict. (The situation has changed 9 times since the previous line about it.)',
    )
    assert.equal(instance.lines.at(-1)?.atMs, windowMs)
  })

  it('says nothing more of what came back to what was told last', () => {
    const instance = new Instance()
    for (let change = 0; change < 14; change += 1)
      instance.is(judged(change % 2 === 0 ? 'id-conflict' : 'normal'), 100 * change)
    for (let atMs = 1400; atMs <= 2 * windowMs; atMs += 250) instance.is(judged('normal'), atMs)
    assert.equal(instance.texts().at(-1), 'It is normal.')
    assert.equal(instance.lines.length, mostLines)
  })
})
