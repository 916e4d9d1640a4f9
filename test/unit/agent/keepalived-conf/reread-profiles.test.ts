import assert from 'node:assert/strict'
import { RereadProfiles } from '../../../../agent/keepalived-conf/reread-profiles.ts'
import type { Profile } from '../../../../shared/protocol/plan.ts'

function profile(instance: string, priority = 100): Profile {
  return {
    instance,
    virtualRouterId: 51,
    interface: 'eth0',
    version: 2,
    priority,
    nopreempt: false,
    advertIntMs: 1000,
    vips: ['10.77.0.100/24'],
  }
}

describe('keepalived.conf that is read again', () => {
  const both = [profile('VI_1'), profile('VI_2')]
  const only = [profile('VI_1')]
  let profiles: RereadProfiles
  beforeEach(() => (profiles = new RereadProfiles(both)))

  it('changes nothing where it says the same', () => {
    assert.equal(profiles.take([profile('VI_1'), profile('VI_2')]), false)
  })

  it('counts at once where it changes an instance or has one more', () => {
    const more = [profile('VI_1', 150), profile('VI_2'), profile('VI_3')]
    assert.equal(profiles.take(more), true)
    assert.deepEqual(profiles.current, more)
  })

  it('takes no instance away that is there again the next time: it was being written', () => {
    for (const cut of [[], only]) {
      assert.equal(profiles.take(cut), false)
      assert.equal(profiles.take(both), false)
      assert.deepEqual(profiles.current, both)
    }
  })

  it('takes away what two readings in a row lack', () => {
    assert.equal(profiles.take([]), false)
    assert.equal(profiles.take(only), true)
    assert.deepEqual(profiles.current, only)
    assert.equal(profiles.take([]), false)
    assert.equal(profiles.take([]), true)
    assert.deepEqual(profiles.current, [])
  })

  it('waits anew for what only the second reading lacks', () => {
    assert.equal(profiles.take(only), false)
    assert.equal(profiles.take([profile('VI_2')]), false)
    assert.equal(profiles.take([profile('VI_2')]), true)
  })
})
