import assert from 'node:assert/strict'
import { configurationDrift } from '../../../../agent/keepalived/configuration-drift.ts'
import type { InstanceSnapshot, RunningSettings } from '../../../../agent/keepalived/dump.ts'
import { profile } from '../core/guard/guard-fixture.ts'
import { vipOn } from '../../../fixtures/vips.ts'

describe('where keepalived and keepalived.conf differ', () => {
  const vip = vipOn('eth0', '10.0.0.100')
  const configured = [{ profile, vips: [vip] }]
  const settings: RunningSettings = {
    virtualRouterId: profile.virtualRouterId,
    basePriority: profile.priority,
    effectivePriority: 1,
    advertIntMs: profile.advertIntMs,
    version: profile.version,
    nopreempt: profile.nopreempt,
    vips: [vip],
  }
  const snapshot = (more: Partial<RunningSettings> = {}, instance = profile.instance): InstanceSnapshot => ({
    instance,
    state: 'BACKUP',
    advertsReceived: 0,
    settings: { ...settings, ...more },
  })
  const drift = (...snapshots: InstanceSnapshot[]) => configurationDrift(configured, snapshots)

  it('nowhere, whatever the weights are', () => {
    assert.deepEqual(drift(snapshot({ effectivePriority: 60 })), [])
  })

  it('is told field by field', () => {
    const name = profile.instance
    assert.deepEqual(drift(snapshot({ virtualRouterId: 77, basePriority: 7, advertIntMs: 3000 })), [
      `${name} runs with virtual_router_id 77, and the file says ${profile.virtualRouterId}`,
      `${name} runs with priority 7, and the file says ${profile.priority}`,
      `${name} runs with advert_int 3 s, and the file says ${profile.advertIntMs / 1000} s`,
    ])
    assert.match(drift(snapshot({ nopreempt: !profile.nopreempt })).join(), /runs with preemption (on|off)/)
  })

  it('is told of VIPs and their devices', () => {
    const [surplus, missing] = drift(snapshot({ vips: [vipOn('eth1', '10.0.0.100')] }))
    assert.match(surplus ?? '', /runs with 10\.0\.0\.100 on eth1, which the file does not say/)
    assert.match(missing ?? '', /runs without 10\.0\.0\.100 on eth0, which the file says/)
  })

  it('is told of instances that only one of the two has', () => {
    assert.match(drift(snapshot(), snapshot({}, 'more')).join(), /^keepalived runs vrrp_instance more/)
    assert.match(drift().join(), /^keepalived does not run vrrp_instance/)
  })

  it('is not told where the dump says nothing of settings', () => {
    assert.deepEqual(drift({ ...snapshot(), settings: null }), [])
  })
})
