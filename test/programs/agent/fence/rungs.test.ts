import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { FenceRungs } from '../../../../agent/fence/rungs.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { fakeKeepalived } from '../../../fixtures/fake-keepalived.ts'
import { vipOn } from '../../../fixtures/vips.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

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
        void rungs({}).kill([vipOn('lo', '192.0.2.1')])
        return fake.parent.signalCode === 'SIGKILL' && fake.vrrp.signalCode === 'SIGKILL'
      })
      assert.equal(await rungs({}).kill([vipOn('lo', '192.0.2.1')]), null)
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
    const program = `#!/bin/sh\n[ "$*" = "-j addr" ] && exec cat ${folder('list.json')}\necho "$*" >> ${folder('removed')}\n`
    writeFileSync(folder('ip'), program, { mode: 0o755 })
    const path = process.env.PATH
    process.env.PATH = `${folder()}:${path}`
    try {
      assert.equal(await rungs({}).kill([vipOn('eth0', '192.0.2.1')]), null)
    } finally {
      process.env.PATH = path
    }
    assert.equal(readFileSync(folder('removed'), 'utf8'), 'addr del 192.0.2.1/24 dev eth0\n')
  })

  it('says that there is no last resort', async () => {
    assert.match((await rungs({}).lastResort()) ?? '', /no lastResortCommand/)
    assert.equal(await rungs({ lastResort: ['true'] }).lastResort(), null)
  })
})
