import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { KeepalivedDump, parseDump, parseStats } from '../../../../agent/keepalived/dump.ts'
import { bootClockMs } from '../../../../shared/host/boot-clock.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { vipOn } from '../../../fixtures/vips.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

/** Cut from a dump of keepalived 2.2.7. */
const dump =
  '[{"data":{"iname":"VI_1","vrid":51,"base_priority":150,"effective_priority":90,"adver_int":1,"nopreempt":false,' +
  '"state":2,"wantstate":2,"version":2,"vips":["10.77.0.100\\/24 dev d0 scope global set"],' +
  '"evips":["10.77.1.100\\/24 dev d1 scope global set"]},"stats":{"advert_rcvd":4,"advert_sent":2}}]'
const stats = `
VRRP Instance: VI_1
  Advertisements:
    Received: 4
    Sent: 2
  Became master: 1
  Priority Zero:
    Received: 0
    Sent: 0
`

describe('parseDump', () => {
  it('reads state, settings, VIPs with their devices, and adverts', () => {
    assert.deepEqual(parseDump(dump), [
      {
        instance: 'VI_1',
        state: 'MASTER',
        advertsReceived: 4,
        settings: {
          virtualRouterId: 51,
          basePriority: 150,
          effectivePriority: 90,
          advertIntMs: 1000,
          version: 2,
          nopreempt: false,
          vips: [vipOn('d0', '10.77.0.100'), vipOn('d1', '10.77.1.100')],
        },
      },
    ])
  })

  it('reads the states of a dump that says nothing of the settings', () => {
    const [snapshot] = parseDump('[{"data":{"iname":"VI_1","state":2}}]')
    assert.equal(snapshot?.state, 'MASTER')
    assert.equal(snapshot.settings, null)
  })

  it('reads the second layout of keepalived', () => {
    assert.equal(parseDump(`{"vrrp":${dump}}`)[0]?.state, 'MASTER')
  })

  it('refuses a dump that is not whole', () => {
    assert.throws(() => parseDump(dump.slice(0, -9)))
    assert.throws(() => parseDump(''))
  })
})

describe('parseStats', () => {
  it('reads the adverts', () => {
    assert.deepEqual(parseStats(stats), [
      { instance: 'VI_1', state: null, advertsReceived: 4, settings: null },
    ])
  })

  it('refuses statistics that are not whole', () => {
    assert.throws(() => parseStats(stats.slice(0, 60)))
    assert.throws(() => parseStats(''))
  })
})

describe('KeepalivedDump', () => {
  const folder = temporaryFolder()
  let daemon: ChildProcess | null = null
  afterEach(() => {
    daemon?.kill('SIGKILL')
    daemon = null
  })

  /** Answers `-v` and `--signum` as keepalived does, and dumps at a signal. */
  const start = async (built: string): Promise<KeepalivedDump> => {
    writeFileSync(folder('dump'), dump)
    writeFileSync(folder('stats'), stats)
    writeFileSync(
      folder('keepalived'),
      `#!/bin/sh
case $1 in
-v) echo "Config options:  VRRP ${built} SYSTEMD" >&2 ;;
--signum=JSON) echo 36 ;;
--signum=STATS) echo 12 ;;
esac
`,
    )
    chmodSync(folder('keepalived'), 0o755)
    daemon = spawn('bash', [
      '-c',
      `cd "$0"; trap 'cp dump k.json' RTMIN+2; trap 'cp stats k.stats' USR2; touch ready; while :; do read -t 0.01 <> <(:); done`,
      folder(),
    ])
    await eventually('the daemon', () => existsSync(folder('ready')))
    return new KeepalivedDump(
      { program: folder('keepalived'), dumpFile: folder('k.json'), statsFile: folder('k.stats') },
      bootClockMs,
    )
  }

  it('asks for a dump and waits for the new one, whatever lies there from before', async () => {
    const asked = await start('JSON')
    writeFileSync(folder('k.json'), dump.replace('VI_1', 'OLD'))
    assert.equal((await asked.take(daemon!.pid!))?.[0]?.instance, 'VI_1')
    assert.equal((await asked.take(daemon!.pid!))?.[0]?.advertsReceived, 4)
  })

  it('takes the statistics where keepalived was built without JSON', async () => {
    const asked = await start('')
    assert.deepEqual(await asked.take(daemon!.pid!), [
      { instance: 'VI_1', state: null, advertsReceived: 4, settings: null },
    ])
  })

  it('gives up on a keepalived that is frozen', async () => {
    const asked = await start('JSON')
    daemon!.kill('SIGSTOP')
    assert.equal(await asked.take(daemon!.pid!), null)
  })

  it('asks nothing of a program that does not say what it was built with', async () => {
    const asked = await start('JSON')
    writeFileSync(folder('keepalived'), '#!/bin/sh\nexit 1\n')
    assert.equal(await asked.take(daemon!.pid!), null)
  })
})
