import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { Announcer, findAnnounceCommand } from '../../../../agent/fence/announcer.ts'
import type { KernelAddress } from '../../../../agent/keepalived/kernel-addresses.ts'
import { vipOn } from '../../../fixtures/vips.ts'
import { programOrSkip } from '../../../skip-aloud.ts'

describe('Announcer', () => {
  const vip: KernelAddress = { device: 'vrrp.51', address: '10.77.0.100', prefixLength: 24, peer: null }
  let kernel: KernelAddress[]
  let sent: string[]
  let problems: string[]
  let announcer: Announcer
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    kernel = [vip]
    sent = []
    problems = []
    announcer = new Announcer({
      glance: () => kernel,
      command: ({ address, device }) => (address.includes(':') ? null : ['arping', device, address]),
      send: (argv) => sent.push(argv.join(' ')),
      problem: (what) => problems.push(what),
    })
  })
  afterEach(() => {
    announcer.close()
    mock.timers.reset()
  })

  it('announces at once where the kernel has the VIP, and three times more', () => {
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    assert.deepEqual(sent, ['arping vrrp.51 10.77.0.100'])
    mock.timers.tick(3000)
    assert.equal(sent.length, 4)
    mock.timers.tick(60_000)
    assert.equal(sent.length, 4)
  })

  it('begins a burst anew instead of piling up', () => {
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    mock.timers.tick(50)
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    mock.timers.tick(60_000)
    assert.equal(sent.length, 5)
  })

  it('sends nothing for a VIP that this node has no more', () => {
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    kernel = []
    mock.timers.tick(60_000)
    assert.equal(sent.length, 1)
  })

  it('says that it cannot announce IPv6 without a program for it', () => {
    kernel = [{ device: 'eth0', address: 'fd00::100', prefixLength: 64, peer: null }]
    announcer.announce('VI_1', [vipOn('eth0', 'fd00::100')])
    assert.deepEqual(sent, [])
    assert.deepEqual(problems, ['no-ndp-program'])
  })
})

describe('findAnnounceCommand', () => {
  it('names interface and VIP for the arping of this host', async function () {
    programOrSkip(this, 'arping')
    const argv = (await findAnnounceCommand())({ address: '10.77.0.100', device: 'eth0' })
    assert.equal(argv?.[0], 'arping')
    assert.ok(argv.includes('eth0') && argv.at(-1) === '10.77.0.100')
  })
})
