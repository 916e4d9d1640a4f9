import assert from 'node:assert/strict'
import { parsePlay, play, PlayError, type Stage } from '../../dev/play.ts'

const keys = ['1', 'h', 'q']

describe('a play of npm run dev', () => {
  it('is read into keys, waits, events and calm', () => {
    assert.deepEqual(parsePlay(' 1 wait 0.5  until lb02/fenced until voter-up calm h', keys), [
      { type: 'key', key: '1' },
      { type: 'wait', durationMs: 500 },
      { type: 'until', from: 'lb02', event: 'fenced' },
      { type: 'until', from: null, event: 'voter-up' },
      { type: 'calm' },
      { type: 'key', key: 'h' },
    ])
  })

  it('is refused with the reason where a word makes no sense', () => {
    for (const [text, reason] of [
      ['x', /"x" is not a step: write keys \(1 h q\)/],
      ['wait', /"wait" needs a number of seconds, not ""/],
      ['wait 1s', /"wait" needs a number of seconds, not "1s"/],
      ['until', /"until" needs an event like fenced or lb02\/fenced, not ""/],
    ] as const)
      assert.throws(
        () => parsePlay(text, keys),
        (error) => error instanceof PlayError && error.code === 'mistake' && reason.test(error.message),
      )
  })

  it('takes an event that came after the last key, and no older one', async () => {
    const happenings = [{ atMs: 0, from: 'lb02 agent', level: 'info', event: 'fenced', text: '' } as const]
    const pressed: string[] = []
    const stage: Stage = {
      happenings,
      press: (key) => {
        pressed.push(key)
        setTimeout(() => happenings.push(happenings[0]!), 5)
        return Promise.resolve()
      },
      view: () => Promise.resolve(null),
    }
    await play(parsePlay('1 until lb02/fenced h', keys), stage)
    assert.deepEqual(pressed, ['1', 'h'])
    assert.equal(happenings.length, 2)
  })
})
