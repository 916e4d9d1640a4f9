import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../../../../shared/host/command.ts'
import { skipAloud } from '../../../skip-aloud.ts'
import { FenceRungs } from '../../../../agent/fence/rungs.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { fakeKeepalived } from '../../../fixtures/fake-keepalived.ts'
import { vipOn } from '../../../fixtures/vips.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const whoever = { spares: false }
/** A node with a VIP that has a peer, one of IPv6, and two of one network, of which the kernel removes both at once. */
const network = `ip link set lo up && ip link add eth0 type bridge && ip link set eth0 up && \
ip addr add 192.0.2.1/32 peer 192.0.2.2/32 dev eth0 && ip addr add 198.51.100.1/24 peer 198.51.100.2/24 dev eth0 && \
ip addr add fd00::1 peer fd00::2/128 dev eth0 nodad && ip addr add 203.0.113.1/24 dev eth0 && \
ip addr add 203.0.113.2/24 dev eth0 && ip addr add 10.0.0.11/24 dev eth0`

describe('FenceRungs', () => {
  const folder = temporaryFolder()
  const rungs = (commands: {
    stop?: string[]
    start?: string[]
    lastResort?: string[] | null
    vrrpPidFiles?: readonly string[]
  }): FenceRungs =>
    new FenceRungs(
      {
        stopCommand: commands.stop ?? ['true'],
        startCommand: commands.start ?? ['true'],
        lastResortCommand: commands.lastResort ?? null,
        places: () => ({
          pidFile: folder('keepalived.pid'),
          vrrpPidFiles: commands.vrrpPidFiles ?? [folder('vrrp.pid')],
          names: { parent: null, vrrp: null, others: [] },
          searchFor: null,
        }),
      },
      (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    )

  it('runs the stop command once for all instances that ask at once', async () => {
    const stopping = rungs({ stop: ['sh', '-c', `echo stop >> ${folder('log')}`] })
    assert.deepEqual(await Promise.all([stopping.stop(), stopping.stop()]), [null, null])
    assert.equal(readFileSync(folder('log'), 'utf8'), 'stop\n')
  })

  it('tells how a command failed', async () => {
    assert.match((await rungs({ stop: ['false'] }).stop()) ?? '', /exit code 1/)
    assert.match((await rungs({ start: ['/nonexistent'] }).start()) ?? '', /no such program/)
  })

  it('kills keepalived, and has nothing to say where the kernel had no VIP', async () => {
    const fake = await fakeKeepalived(folder())
    try {
      await eventually('both are gone', () => {
        void rungs({}).kill([vipOn('lo', '192.0.2.1')], whoever)
        return fake.parent.signalCode === 'SIGKILL' && fake.vrrp.signalCode === 'SIGKILL'
      })
      assert.equal(await rungs({}).kill([vipOn('lo', '192.0.2.1')], whoever), null)
    } finally {
      fake.end()
    }
  })

  it('removes the VIP from its device, and leaves the same address on lo and on other devices alone', async () => {
    const list = ['lo', 'eth0', 'eth1'].map((ifname) => ({
      ifname,
      addr_info: [{ local: '192.0.2.1', prefixlen: ifname === 'lo' ? 32 : 24 }],
    }))
    writeFileSync(folder('list.json'), JSON.stringify(list))
    const program = `#!/bin/sh\n[ "$*" = "-j addr" ] && exec cat ${folder('list.json')}\n[ "$*" = "-force -batch -" ] && exec cat >> ${folder('removed')}\nexit 1\n`
    writeFileSync(folder('ip'), program, { mode: 0o755 })
    const path = process.env.PATH
    process.env.PATH = `${folder()}:${path}`
    try {
      assert.equal(await rungs({}).kill([vipOn('eth0', '192.0.2.1')], whoever), null)
    } finally {
      process.env.PATH = path
    }
    assert.equal(readFileSync(folder('removed'), 'utf8'), 'addr del 192.0.2.1/24 dev eth0\n')
  })

  it('removes VIPs with a peer, of IPv6 and of one network, with no fault to report, and nothing else', async function () {
    if (process.getuid?.() !== 0) skipAloud(this, 'only root can make a network of its own')
    this.timeout(20_000)
    const killing = join(import.meta.dirname, 'killing.ts')
    const vips = ['192.0.2.1', '198.51.100.1', 'fd00::1', '203.0.113.1', '203.0.113.2']
    const run = `${network} && exec "${process.execPath}" --import tsx ${killing} ${folder()} eth0 ${vips.join(' ')}`
    const { error, stdout } = await runCommand(['unshare', '--net', 'sh', '-c', run], { timeoutMs: 20_000 })
    assert.equal(error, null)
    const { failure, addresses } = JSON.parse(stdout) as { failure: unknown; addresses: string[] }
    assert.deepEqual([failure, addresses], [null, ['10.0.0.11']])
  })

  it('spares a keepalived that lives, and its VIP, if it is told to', async () => {
    const fake = await fakeKeepalived(folder())
    try {
      assert.equal(await rungs({}).kill([vipOn('lo', '192.0.2.1')], { spares: true }), null)
      assert.deepEqual([fake.parent.signalCode, fake.vrrp.signalCode], [null, null])
    } finally {
      fake.end()
    }
  })

  it('says that there is no last resort', async () => {
    assert.match((await rungs({}).lastResort()) ?? '', /no lastResortCommand/)
    assert.equal(await rungs({ lastResort: ['true'] }).lastResort(), null)
  })
})
