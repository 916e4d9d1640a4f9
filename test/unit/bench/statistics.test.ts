import assert from 'node:assert/strict'
import { rangeText, statisticsOf } from '../../bench/statistics.ts'

describe('statistics', () => {
  it('takes the middle one of an odd number, and the mean of the middle two of an even number', () => {
    assert.equal(statisticsOf([9, 1, 2]).median, 2)
    assert.equal(statisticsOf([9, 1, 2, 4]).median, 3)
  })

  it('sorts by number, not by text', () => {
    assert.deepEqual(statisticsOf([10, 9, 100]), { count: 3, median: 10, min: 9, max: 100 })
  })

  it('makes no figure of nothing', () => {
    assert.throws(() => statisticsOf([]), /no values/)
  })

  it('shows the median and, in brackets, the range', () => {
    assert.equal(rangeText(statisticsOf([1.234, 2, 3.456]), 2), '2.00 [1.23–3.46]')
  })
})
