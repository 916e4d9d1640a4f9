import assert from 'node:assert/strict'
import { KeepalivedObserver, type Observation } from '../../../../agent/keepalived/observer.ts'
import type { InstanceSnapshot, RunningSettings } from '../../../../agent/keepalived/dump.ts'
import { type ProcessLook, unseen } from '../../../../agent/keepalived/process.ts'
import type { KernelAddress } from '../../../../agent/keepalived/kernel-addresses.ts'
import type { KeepalivedState } from '../../../../shared/protocol/report.ts'
import { vipOn } from '../../../fixtures/vips.ts'

const vip: KernelAddress = { device: 'eth0', address: '10.77.0.100', prefixLength: 24, peer: null }
const running: ProcessLook = {
  ...unseen,
  state: 'running',
  identity: '10@0',
  parentPid: 9,
  vrrpPid: 10,
  startedAtMs: 0,
}
const absent: ProcessLook = { ...unseen, state: 'absent' }

/** A host whose kernel and keepalived the test moves. */
class Host {
  process: ProcessLook = running
  kernel: KernelAddress[] = []
  /** What the glance leaves out: interfaces without carrier. */
  hidden: KernelAddress[] = []
  dumped: InstanceSnapshot[] | null = null
  dumps = 0
  readonly inVain: number[] = []
  lists = 0
  listError: string | null = null
  nowMs = 100_000
  readonly told: string[] = []
  readonly problems: string[] = []
  rivals = 0
  died = false
  readonly priorities: string[] = []
  readonly lettingGo: string[] = []
  /** Proofs wait until the test lets them go. */
  held: (() => void)[] | null = null

  readonly observer = new KeepalivedObserver(
    {
      lookAtProcess: () => this.process,
      glance: () => this.kernel.filter((address) => !this.hidden.includes(address)),
      list: async () => {
        this.lists += 1
        const seen = [...this.kernel]
        await new Promise<void>((go) => (this.held === null ? go() : this.held.push(go)))
        return this.listError === null ? { addresses: seen } : { error: this.listError }
      },
      dump: () => {
        this.dumps += 1
        return Promise.resolve(this.dumped)
      },
      nowMs: () => this.nowMs,
      pauseMs: () => Promise.resolve(),
    },
    {
      observed: (instance, observation) => {
        this.told.push(`${instance} ${words(observation)}`)
        this.died = observation.died
      },
      rival: () => (this.rivals += 1),
      dumped: () => undefined,
      undumped: ({ times }) => this.inVain.push(times),
      lettingGo: (instance) => this.lettingGo.push(instance),
      priority: (instance, priority) => this.priorities.push(`${instance} ${priority ?? 'unknown'}`),
      problem: (what) => this.problems.push(what),
    },
  )

  line(state: KeepalivedState, priority: number | null = null): void {
    this.observer.take({ type: 'state', instance: 'VI_1', state, priority })
  }
}

function words({ keepalived, process, vips }: Observation): string {
  return `${keepalived} ${process} ${vips}`
}

/** Lets every promise that can settle do so. */
async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('KeepalivedObserver', () => {
  let host: Host
  const watch = async (): Promise<void> => {
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    host.told.length = 0
  }
  beforeEach(() => {
    host = new Host()
  })

  it('takes a snapshot at start', async () => {
    host.kernel = [vip]
    host.dumped = [{ instance: 'VI_1', state: 'MASTER', advertsReceived: 0, settings: null }]
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 MASTER running held')
  })

  it('takes a running keepalived that cannot say for MASTER where the kernel has its VIP', async () => {
    host.kernel = [vip]
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 MASTER running held')
  })

  it('does not take the address on another device for the VIP', async () => {
    host.kernel = [{ ...vip, device: 'lo' }]
    host.dumped = [{ instance: 'VI_1', state: 'BACKUP', advertsReceived: 0, settings: null }]
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 BACKUP running gone')
  })

  it('counts the VIPs that the running keepalived has and the file does not, until keepalived let them go', async () => {
    const settings: RunningSettings = {
      virtualRouterId: 51,
      basePriority: 100,
      effectivePriority: 100,
      advertIntMs: 1000,
      version: 2,
      nopreempt: false,
      vips: [vipOn('vrrp.51', '10.77.0.200')],
    }
    host.kernel = [{ device: 'vrrp.51', address: '10.77.0.200', prefixLength: 24, peer: null }]
    host.dumped = [{ instance: 'VI_1', state: 'MASTER', advertsReceived: 0, settings }]
    await watch()
    assert.deepEqual(host.observer.vipsOf('VI_1'), [...settings.vips, vipOn('eth0', '10.77.0.100')])
    host.line('BACKUP')
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 BACKUP running held')
    host.kernel = []
    host.observer.look()
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 BACKUP running gone')
  })

  it('does not signal a keepalived that has only just started', async () => {
    host.nowMs = 1000
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    assert.equal(host.dumps, 0)
    host.nowMs = 2000
    host.observer.look()
    await settled()
    assert.equal(host.dumps, 1)
  })

  it('passes a MASTER line on before it returns', async () => {
    await watch()
    host.kernel = [vip]
    host.line('MASTER')
    assert.deepEqual(host.told, ['VI_1 MASTER running held'])
  })

  it('calls a VIP gone only after the proof', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.kernel = []
    host.line('FAULT')
    assert.deepEqual(host.told, [])
    await settled()
    assert.deepEqual(host.told, ['VI_1 FAULT running gone'])
  })

  it('throws a proof away that a newer MASTER line has overtaken', async () => {
    await watch()
    host.held = []
    host.line('BACKUP')
    await settled()
    host.kernel = [vip]
    host.line('MASTER')
    for (const go of host.held.splice(0)) go()
    host.held = null
    await settled()
    assert.deepEqual(host.told, ['VI_1 MASTER running held'])
  })

  it('keeps believing in a VIP on an interface without carrier', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.hidden = [vip]
    host.observer.look()
    await settled()
    assert.deepEqual(host.told, [])
  })

  it('sees a VIP that was taken away behind keepalived', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.kernel = []
    host.observer.look()
    await settled()
    assert.deepEqual(host.told, ['VI_1 MASTER running gone'])
  })

  it('calls keepalived stopped where its process is gone, and says that the VIP stayed', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.process = absent
    host.observer.take({ type: 'writer-gone' })
    await settled()
    assert.deepEqual(host.told, ['VI_1 STOP absent held'])
  })

  it('waits for a process table that lags behind the FIFO', async () => {
    await watch()
    host.line('BACKUP')
    await settled()
    host.told.length = 0
    let looks = 0
    Object.defineProperty(host, 'process', { get: () => (++looks > 3 ? absent : running) })
    host.observer.take({ type: 'writer-gone' })
    await settled()
    assert.deepEqual(host.told, ['VI_1 STOP absent gone'])
  })

  it('tells that keepalived is frozen and keeps its last state', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.process = { ...running, state: 'frozen' }
    host.observer.look()
    await settled()
    assert.deepEqual(host.told, ['VI_1 MASTER frozen held'])
  })

  it('forgets what another keepalived said', async () => {
    await watch()
    host.line('BACKUP')
    await settled()
    host.told.length = 0
    host.process = { ...running, identity: '20@500', startedAtMs: 99_999 }
    host.observer.look()
    await settled()
    assert.deepEqual(host.told, ['VI_1 INIT running gone'])
  })

  it('says nothing twice, unless it is asked', async () => {
    await watch()
    host.line('BACKUP')
    await settled()
    host.told.length = 0
    host.observer.look()
    host.line('BACKUP')
    await settled()
    assert.deepEqual(host.told, [])
    await host.observer.observe('VI_1')
    assert.deepEqual(host.told, ['VI_1 BACKUP running gone'])
  })

  it('spawns no proof while nothing changes', async () => {
    await watch()
    host.line('BACKUP')
    await settled()
    const before = host.lists
    for (let round = 0; round < 10; round += 1) host.observer.look()
    await settled()
    assert.equal(host.lists, before)
  })

  it('asks again for a dump that did not come, ever more rarely, and counts', async () => {
    await watch()
    const askedAtMs: number[] = []
    for (; host.nowMs < 130_000; host.nowMs += 400) {
      const before = host.dumps
      host.observer.look()
      await settled()
      if (host.dumps > before) askedAtMs.push(host.nowMs - 100_000)
    }
    assert.deepEqual(askedAtMs, [2000, 6000, 14_000])
    assert.deepEqual(host.inVain, [1, 2, 3, 4])
    host.dumped = [{ instance: 'VI_1', state: 'BACKUP', advertsReceived: 0, settings: null }]
    host.nowMs += 2000
    host.observer.look()
    await settled()
    const { dumps } = host
    host.nowMs += 600_000
    host.observer.look()
    await settled()
    assert.equal(host.dumps, dumps, 'it came, so there is nothing to repeat')
  })

  it('asks keepalived where state and VIPs do not fit together for long, ever more rarely', async () => {
    host.dumped = [{ instance: 'VI_1', state: 'BACKUP', advertsReceived: 0, settings: null }]
    await watch()
    host.kernel = [vip]
    const before = host.dumps
    for (let round = 0; round < 24; round += 1) {
      host.observer.look()
      await settled()
    }
    assert.equal(host.dumps - before, 4)
  })

  it('calls nothing gone where the kernel cannot be asked', async () => {
    host.listError = 'no such program'
    host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
    await settled()
    assert.match(host.told.at(-1) ?? '', /held$/)
    assert.ok(host.problems.includes('address-list'))
  })

  it('never takes a keepalived that writes for gone, and says that its process cannot be found', async () => {
    await watch()
    host.process = absent
    host.kernel = [vip]
    host.line('MASTER')
    assert.deepEqual(host.told, ['VI_1 MASTER unknown held'])
    host.observer.look()
    assert.deepEqual(host.problems, [])
    host.nowMs += 3000
    host.observer.look()
    assert.deepEqual(host.problems, ['keepalived-not-found'])
  })

  it('knows that a keepalived which it never saw has died, once the writer of its lines is gone', async () => {
    await watch()
    host.process = absent
    host.kernel = [vip]
    host.line('MASTER')
    host.observer.take({ type: 'writer-gone' })
    await settled()
    assert.equal(host.told.at(-1), 'VI_1 STOP absent held')
    assert.equal(host.died, true)
  })

  it('says nothing of a keepalived that ended in good order before its last lines were read', async () => {
    await watch()
    host.process = { ...absent, died: true }
    host.line('STOP')
    host.observer.take({ type: 'writer-gone' })
    await settled()
    host.nowMs += 10_000
    host.observer.look()
    assert.equal(host.told.at(-1), 'VI_1 STOP absent gone')
    assert.deepEqual(host.problems, [])
  })

  it('tells of a rival, and of an instance that it does not know', async () => {
    await watch()
    host.observer.take({ type: 'rival', instance: 'VI_1' })
    host.observer.take({ type: 'rival', instance: 'VI_9' })
    host.observer.take({ type: 'state', instance: 'VI_9', state: 'MASTER', priority: 100 })
    assert.equal(host.rivals, 1)
    assert.deepEqual(host.problems, ['unknown-instance'])
  })

  it('tells at once that keepalived let go, and proves it afterwards', async () => {
    host.kernel = [vip]
    await watch()
    host.line('MASTER')
    host.told.length = 0
    host.kernel = []
    host.line('BACKUP')
    assert.deepEqual([host.lettingGo, host.told], [['VI_1'], []])
    await settled()
    host.line('FAULT')
    await settled()
    assert.deepEqual(host.told, ['VI_1 BACKUP running gone', 'VI_1 FAULT running gone'])
    assert.deepEqual(host.lettingGo, ['VI_1'])
  })

  describe('the priority that keepalived runs with', () => {
    const settings = (effectivePriority: number): RunningSettings => ({
      virtualRouterId: 51,
      basePriority: 150,
      effectivePriority,
      advertIntMs: 1000,
      version: 2,
      nopreempt: false,
      vips: [],
    })
    const dump = (effectivePriority: number): InstanceSnapshot[] => [
      { instance: 'VI_1', state: 'BACKUP', advertsReceived: 0, settings: settings(effectivePriority) },
    ]

    it('is told before the state of the same line, and once', async () => {
      await watch()
      host.line('MASTER', 90)
      assert.deepEqual(host.priorities, ['VI_1 90'])
      host.line('BACKUP', 90)
      assert.deepEqual(host.priorities, ['VI_1 90'])
    })

    it('is told when only the priority changed, and then nothing is said of the state', async () => {
      await watch()
      host.observer.take({ type: 'priority', instance: 'VI_1', priority: 90 })
      host.observer.take({ type: 'priority', instance: 'VI_9', priority: 90 })
      assert.deepEqual(host.priorities, ['VI_1 90'])
      assert.deepEqual(host.told, [])
    })

    it('comes from the dump where no line was written', async () => {
      host.dumped = dump(90)
      await watch()
      assert.deepEqual(host.priorities, ['VI_1 90'])
    })

    it('is not taken from a dump that a line overtook', async () => {
      host.dumped = dump(90)
      host.observer.watch(new Map([['VI_1', [vipOn('eth0', '10.77.0.100')]]]))
      host.observer.take({ type: 'priority', instance: 'VI_1', priority: 150 })
      await settled()
      assert.deepEqual(host.priorities, ['VI_1 150'])
    })

    it('is told again to whoever asks for an observation', async () => {
      await watch()
      host.line('BACKUP', 90)
      await host.observer.observe('VI_1')
      assert.deepEqual(host.priorities, ['VI_1 90', 'VI_1 90'])
    })

    it('is asked for after a reload, which a MASTER does not write of', async () => {
      host.dumped = dump(150)
      await watch()
      host.line('MASTER', 150)
      host.dumped = dump(90)
      host.observer.take({ type: 'writer-gone' })
      await settled()
      host.observer.glimpse()
      await settled()
      assert.deepEqual(host.priorities, ['VI_1 150', 'VI_1 90'])
    })

    it('is unknown after a reload where keepalived cannot be asked, so that the file counts', async () => {
      await watch()
      host.line('MASTER', 150)
      host.observer.take({ type: 'writer-gone' })
      await settled()
      host.observer.glimpse()
      await settled()
      assert.deepEqual(host.priorities, ['VI_1 150', 'VI_1 unknown'])
      host.line('BACKUP', 90)
      assert.equal(host.priorities.at(-1), 'VI_1 90')
    })

    it('is unknown again when keepalived was restarted', async () => {
      await watch()
      host.line('BACKUP', 90)
      host.process = { ...running, identity: '11@5', startedAtMs: host.nowMs }
      host.observer.look()
      assert.deepEqual(host.priorities, ['VI_1 90', 'VI_1 unknown'])
    })
  })

  it('counts adverts, and says so when keepalived cannot', async () => {
    await watch()
    host.dumped = [{ instance: 'VI_1', state: 'BACKUP', advertsReceived: 7, settings: null }]
    assert.equal(await host.observer.adverts('VI_1'), 7)
    host.process = { ...running, state: 'frozen' }
    host.observer.look()
    assert.equal(await host.observer.adverts('VI_1'), null)
  })
})
