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
  let atMs: number
  const pass = (durationMs: number): void => {
    for (const endMs = atMs + durationMs; atMs < endMs; atMs += 1) mock.timers.tick(1)
  }
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    atMs = 0
    kernel = [vip]
    sent = []
    problems = []
    announcer = new Announcer({
      glance: () => kernel,
      command: ({ address, device }) => (address.includes(':') ? null : ['arping', device, address]),
      send: (announcements) => sent.push(...announcements.map((argv) => argv.join(' '))),
      monotonicMs: () => atMs,
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
    pass(3000)
    assert.equal(sent.length, 4)
    pass(60_000)
    assert.equal(sent.length, 4)
  })

  it('begins a burst anew instead of piling up', () => {
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    pass(50)
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    pass(60_000)
    assert.equal(sent.length, 5)
  })

  it('announces once a second, however many adverts a neighbour sends, and not less', () => {
    const vips = [vipOn('vrrp.51', '10.77.0.100')]
    for (let advert = 0; advert < 5000; advert += 1) {
      announcer.announce('VI_1', vips)
      pass(2)
    }
    assert.ok(sent.length >= 10 && sent.length <= 13, `${sent.length} in ten seconds`)
    pass(60_000)
    assert.ok(sent.length <= 17, `${sent.length} in the end`)
  })

  it('keeps a pace for each instance, and announces one at once while another is slowed down', () => {
    const vips = [vipOn('vrrp.51', '10.77.0.100')]
    for (let advert = 0; advert < 100; advert += 1) announcer.announce('VI_1', vips)
    const before = sent.length
    announcer.announce('VI_2', vips)
    assert.equal(sent.length, before + 1)
  })

  it('announces at once what is announced again within milliseconds: a rival came and went', () => {
    const vips = [vipOn('vrrp.51', '10.77.0.100')]
    announcer.announce('VI_1', vips)
    pass(20)
    announcer.announce('VI_1', vips)
    assert.equal(sent.length, 2)
  })

  it('hands all VIPs of an instance on together', () => {
    kernel = Array.from({ length: 240 }, (_, at) => ({ ...vip, address: `10.77.1.${at}` }))
    let calls = 0
    announcer = new Announcer({
      glance: () => kernel,
      command: ({ address, device }) => ['arping', device, address],
      send: (announcements) => {
        calls += 1
        assert.equal(announcements.length, 240)
      },
      monotonicMs: () => atMs,
      problem: (what) => problems.push(what),
    })
    announcer.announce(
      'VI_1',
      kernel.map(({ address }) => vipOn('vrrp.51', address)),
    )
    assert.equal(calls, 1)
  })

  it('sends nothing for a VIP that this node has no more', () => {
    announcer.announce('VI_1', [vipOn('vrrp.51', '10.77.0.100')])
    kernel = []
    pass(60_000)
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
