import assert from 'node:assert/strict'
import { oneAtATime } from '../../../../shared/network/look-up-once.ts'

describe('the look-up of a voter that has a name', () => {
  type Reply = (error: NodeJS.ErrnoException | null, address: string, family?: number) => void

  it('runs once, however often the voter is dialled while DNS is silent, and all get its answer', () => {
    const asked: { hostname: string; reply: Reply }[] = []
    const lookUp = oneAtATime((hostname, _, reply) => asked.push({ hostname, reply }))
    const answers: unknown[] = []
    for (let dial = 0; dial < 100; dial += 1)
      lookUp('witness.example.net', {}, (error, address) => answers.push([error, address]))
    assert.equal(asked.length, 1)
    asked[0]?.reply(null, '192.0.2.1', 4)
    assert.equal(answers.length, 100)
    assert.deepEqual(answers[99], [null, '192.0.2.1'])
    lookUp('witness.example.net', {}, () => undefined)
    assert.equal(asked.length, 2)
  })

  it('tells everybody that it failed, and asks again for the next', () => {
    const asked: Reply[] = []
    const lookUp = oneAtATime((_, __, reply) => asked.push(reply))
    const errors: unknown[] = []
    for (let dial = 0; dial < 2; dial += 1) lookUp('witness', {}, (error) => errors.push(error?.code))
    asked[0]?.(Object.assign(new Error('no'), { code: 'EAI_AGAIN' }), '')
    assert.deepEqual(errors, ['EAI_AGAIN', 'EAI_AGAIN'])
    lookUp('witness', {}, () => undefined)
    assert.equal(asked.length, 2)
  })

  it('does not mix two names, or two ways to ask', () => {
    let asked = 0
    const lookUp = oneAtATime(() => (asked += 1))
    lookUp('one', {}, () => undefined)
    lookUp('other', {}, () => undefined)
    lookUp('one', { all: true }, () => undefined)
    assert.equal(asked, 3)
  })
})
