import assert from 'node:assert/strict'
import { z } from 'zod'
import { readQuery, wholeNumber, type Query } from '../../../../server/api/query.ts'
import { nodeName } from '../../../../shared/protocol/names.ts'

const schema = z.strictObject({
  limit: wholeNumber({ least: 1, most: 1000 }).default(100),
  after: wholeNumber({ least: 0, most: Number.MAX_SAFE_INTEGER }).optional(),
})

describe('the query of a request', () => {
  const wrong = (query: Query): string => {
    const result = readQuery(schema, query)
    assert.ok(result.kind === 'wrong', JSON.stringify(result))
    return result.detail
  }

  it('is read as numbers, with defaults for what is not given', () => {
    assert.deepEqual(readQuery(schema, {}), { kind: 'valid', parameters: { limit: 100 } })
    assert.deepEqual(readQuery(schema, { limit: '1000', after: '0' }), {
      kind: 'valid',
      parameters: { limit: 1000, after: 0 },
    })
  })

  it('is told which parameter is wrong, what was given and what is allowed', () => {
    const expected = 'a whole number from 1 to 1000 is expected'
    for (const limit of ['x', '', '0', '1001', '-1', '1.5', '1e3', '0x10', ' 5', '9'.repeat(17)])
      assert.equal(wrong({ limit }), `limit is ${JSON.stringify(limit)}: ${expected}`)
  })

  it('is told of each mistake', () =>
    assert.equal(
      wrong({ limit: 'many', after: 'x' }),
      'limit is "many": a whole number from 1 to 1000 is expected; ' +
        'after is "x": a whole number from 0 to 9007199254740991 is expected',
    ))

  it('is told of a parameter that is missing, given twice, or not known, with those that are', () => {
    const named = readQuery(z.strictObject({ node: nodeName }), {})
    assert.deepEqual(named, { kind: 'wrong', detail: 'node is missing' })
    assert.equal(wrong({ limit: ['5', '6'] }), 'limit is given more than once')
    assert.equal(
      wrong({ limt: '5' }),
      'limt is not a parameter of this request; its parameters are limit, after',
    )
  })

  it('repeats only the beginning of what is long', () => {
    const detail = wrong({ limit: 'x'.repeat(5000), ['y'.repeat(5000)]: '' })
    assert.ok(detail.length < 300, detail)
    assert.match(detail, /"x{62}…"/)
  })

  it('is never answered in the words of the library that reads it', () => {
    for (const query of [{ limit: 'x' }, { limit: ['1'] }, { after: '1e400' }, { color: 'red' }])
      assert.doesNotMatch(wrong(query), /invalid input|received|NaN|unrecognized/i)
  })
})
