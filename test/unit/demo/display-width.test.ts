import assert from 'node:assert/strict'
import { displayWidth, padTo, wrap } from '../../demo/display-width.ts'

describe('columns of a terminal', () => {
  it('counts two for a Chinese character and one for everything else', () => {
    assert.equal(displayWidth('lb01 持有 VIP，█'), 5 + 4 + 4 + 2 + 1)
  })

  it('pads by columns, not by characters', () => {
    assert.equal(padTo('客户端', 8), '客户端  ')
    assert.equal(padTo('client', 3), 'client')
  })

  it('wraps between words and never beyond the width', () => {
    assert.deepEqual(wrap('the VIP is gone from the kernel', 12), ['the VIP is', 'gone from', 'the kernel'])
  })

  it('leaves a word whole that is longer than a line', () => {
    assert.deepEqual(wrap('a /tmp/keepalived-witness-lab b', 8), ['a', '/tmp/keepalived-witness-lab', 'b'])
  })

  it('wraps Chinese between any two characters, but begins no line with a comma', () => {
    assert.deepEqual(wrap('脑裂结束了，真的', 10), ['脑裂结束', '了，真的'])
  })
})
