import assert from 'node:assert/strict'
import { RereadProfiles, type ReadInstances } from '../../../../agent/keepalived-conf/reread-profiles.ts'
import type { Profile } from '../../../../shared/protocol/plan.ts'
import { vipOn } from '../../../fixtures/vips.ts'

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

/** As `keepalived.conf` has it, with each VIP on the instance's device. */
function read(...profiles: Profile[]): ReadInstances {
  const vips = new Map(
    profiles.map(({ instance, interface: device }) => [instance, [vipOn(device, '10.77.0.100')]]),
  )
  return { profiles, vips, passwords: new Map() }
}

describe('keepalived.conf that is read again', () => {
  const both = [profile('VI_1'), profile('VI_2')]
  const only = [profile('VI_1')]
  let profiles: RereadProfiles
  beforeEach(() => (profiles = new RereadProfiles(read(...both))))

  it('changes nothing where it says the same', () => {
    assert.equal(profiles.take(read(profile('VI_1'), profile('VI_2'))), false)
  })

  it('counts at once where it changes an instance or has one more', () => {
    const more = [profile('VI_1', 150), profile('VI_2'), profile('VI_3')]
    assert.equal(profiles.take(read(...more)), true)
    assert.deepEqual(profiles.current, more)
  })

  it('counts where a VIP is on another device now', () => {
    const moved = read(...both)
    const vips = new Map([...moved.vips, ['VI_2', [vipOn('eth1', '10.77.0.100')]] as const])
    assert.equal(profiles.take({ ...moved, vips }), true)
    assert.deepEqual(profiles.vips.get('VI_2'), [vipOn('eth1', '10.77.0.100')])
  })

  it('takes no instance away that is there again the next time: it was being written', () => {
    for (const cut of [[], only]) {
      assert.equal(profiles.take(read(...cut)), false)
      assert.equal(profiles.take(read(...both)), false)
      assert.deepEqual(profiles.current, both)
    }
  })

  it('takes away what two readings in a row lack', () => {
    assert.equal(profiles.take(read()), false)
    assert.equal(profiles.take(read(...only)), true)
    assert.deepEqual(profiles.current, only)
    assert.equal(profiles.take(read()), false)
    assert.equal(profiles.take(read()), true)
    assert.deepEqual(profiles.current, [])
  })

  it('waits anew for what only the second reading lacks', () => {
    assert.equal(profiles.take(read(...only)), false)
    assert.equal(profiles.take(read(profile('VI_2'))), false)
    assert.equal(profiles.take(read(profile('VI_2'))), true)
  })
})
