import assert from 'node:assert/strict'
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import type { KeepalivedPlaces } from '../../../../agent/keepalived/places.ts'
import {
  KeepalivedProcesses,
  lookAtKeepalived,
  type ProcessLook,
} from '../../../../agent/keepalived/process.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

interface FakeProcess {
  readonly comm: string
  readonly parent: number
  readonly startedTick?: number
  readonly words?: readonly string[]
  readonly network?: 'own' | 'other'
  /** In a container with a process table of its own. */
  readonly isContained?: boolean
}

const socketHeader = '  sl  local_address rem_address   st\n'
const vrrpSocket = `${socketHeader}   0: 00000000:0070 00000000:0000 07\n`

describe('a keepalived that no pid file names', () => {
  const folder = temporaryFolder()
  const proc = (): string => folder('proc')
  const network = (name: string): string => folder(`network-${name}`)
  const places = (more: Partial<KeepalivedPlaces> = {}): KeepalivedPlaces => ({
    pidFile: folder('keepalived.pid'),
    vrrpPidFiles: [folder('vrrp.pid')],
    names: { parent: null, vrrp: null, others: ['keepalived_lvs'] },
    searchFor: '/etc/keepalived/keepalived.conf',
    ...more,
  })
  const add = (pid: number, process: FakeProcess): void => {
    const { comm, parent, startedTick = 100, words = [comm], isContained = false } = process
    const home = `${proc()}/${pid}`
    mkdirSync(`${home}/net`, { recursive: true })
    const between = Array.from({ length: 17 }, () => '0').join(' ')
    writeFileSync(`${home}/stat`, `${pid} (${comm}) S ${parent} ${between} ${startedTick} 0`)
    writeFileSync(`${home}/cmdline`, `${words.join('\0')}\0`)
    writeFileSync(`${home}/status`, `Name:\t${comm}\nNSpid:\t${pid}${isContained ? '\t7' : ''}\n`)
    linkSync(network(process.network ?? 'own'), `${home}/net/dev`)
  }
  const openSockets = (text: string): void => writeFileSync(`${proc()}/self/net/raw`, text)
  const remove = (pid: number): void => rmSync(`${proc()}/${pid}`, { recursive: true })
  const look = (more?: Partial<KeepalivedPlaces>): ProcessLook => lookAtKeepalived(places(more), proc())

  beforeEach(() => {
    for (const name of ['own', 'other']) writeFileSync(network(name), name)
    mkdirSync(`${proc()}/self/net`, { recursive: true })
    linkSync(network('own'), `${proc()}/self/net/dev`)
    openSockets(socketHeader)
    add(1, { comm: 'systemd', parent: 0 })
  })

  const addPair = (more: Partial<FakeProcess> = {}): void => {
    add(50, { comm: 'keepalived', parent: 1, ...more })
    add(51, { comm: 'keepalived', parent: 50, ...more })
    openSockets(vrrpSocket)
  }

  it('is found in the process table, parent and VRRP child', () => {
    addPair()
    const { state, parentPid, vrrpPid } = look()
    assert.deepEqual({ state, parentPid, vrrpPid }, { state: 'running', parentPid: 50, vrrpPid: 51 })
  })

  it('is found in a container, whatever file it reads there', () => {
    addPair({ isContained: true, words: ['keepalived', '-f', '/usr/local/etc/keepalived/keepalived.conf'] })
    assert.equal(look().vrrpPid, 51)
  })

  it('is found under the names that keepalived.conf gives it', () => {
    add(50, { comm: 'ha-parent', parent: 1, words: ['/usr/sbin/keepalived'] })
    add(51, { comm: 'ha-vrrp', parent: 50 })
    openSockets(vrrpSocket)
    assert.equal(look({ names: { parent: 'ha-parent', vrrp: 'ha-vrrp', others: [] } }).vrrpPid, 51)
    // Without the names nothing is proved either, because somebody speaks VRRP.
    assert.equal(look().state, 'unknown')
  })

  it('is told from the child that does not speak VRRP, or is unknown', () => {
    addPair()
    add(52, { comm: 'keepalived_lvs', parent: 50 })
    assert.equal(look().vrrpPid, 51)
    add(53, { comm: 'keepalived', parent: 50 })
    assert.match(look().why ?? '', /which of its children \(51, 52, 53\) speaks VRRP is not visible/)
  })

  it('is absent only if nobody speaks VRRP here', () => {
    assert.equal(look().state, 'absent')
    assert.equal(look().died, false)
    openSockets(vrrpSocket)
    assert.match(look().why ?? '', /VRRP is spoken/)
  })

  const addElsewhere = (more: Partial<FakeProcess> = {}): void => {
    add(50, { comm: 'keepalived', parent: 1, network: 'other', ...more })
    add(51, { comm: 'keepalived', parent: 50, network: 'other', ...more })
  }

  it('is unknown, not absent, where it runs in another network namespace (-s, net_namespace)', () => {
    addElsewhere()
    const { state, elsewhere, why } = look()
    assert.deepEqual({ state, elsewhere }, { state: 'unknown', elsewhere: true })
    assert.match(why ?? '', /process 50 is in another network namespace than this agent/)
    writeFileSync(folder('vrrp.pid'), '40\n')
    assert.equal(look().state, 'unknown', 'an old pid file proves nothing')
  })

  it('is unknown for as long as the one of another network namespace is the last that was seen', () => {
    addElsewhere()
    const processes = new KeepalivedProcesses(
      () => places(),
      proc(),
      () => nowMs,
    )
    let nowMs = 0
    assert.equal(processes.look().state, 'unknown')
    for (const pid of [50, 51]) remove(pid)
    nowMs = 2000
    const { state, elsewhere, died } = processes.look()
    assert.deepEqual({ state, elsewhere, died }, { state: 'unknown', elsewhere: true, died: false })
    addPair()
    nowMs = 4000
    assert.equal(processes.look().state, 'running')
    processes.close()
  })

  it('is not one of another network namespace with another file or in a container, and not a test of a file', () => {
    addElsewhere({ words: ['keepalived', '-f', '/etc/other.conf'] })
    add(70, { comm: 'keepalived', parent: 1, network: 'other', isContained: true })
    add(71, { comm: 'keepalived', parent: 70, network: 'other', isContained: true })
    add(60, { comm: 'keepalived', parent: 1, words: ['keepalived', '-t'] })
    assert.equal(look().state, 'absent')
  })

  it('is unknown where another configuration runs, and names both', () => {
    addPair({ words: ['keepalived', '-f/etc/other.conf'] })
    assert.match(look().why ?? '', /process 50 with \/etc\/other\.conf.*keepalived\.config/)
  })

  it('is unknown where the process table is hidden', () => {
    remove(1)
    assert.match(look().why ?? '', /hidepid/)
  })

  it('is unknown where its pid file names a process of another network namespace', () => {
    add(50, { comm: 'keepalived', parent: 1, network: 'other' })
    writeFileSync(folder('vrrp.pid'), '50\n')
    assert.match(look().why ?? '', /another network namespace/)
  })

  it('has died where its pid file names a process that is gone', () => {
    writeFileSync(folder('vrrp.pid'), '51\n')
    const { state, died } = look()
    assert.deepEqual({ state, died }, { state: 'absent', died: true })
  })

  it('is alive in spite of an old pid file', () => {
    writeFileSync(folder('vrrp.pid'), '40\n')
    addPair()
    assert.equal(look().state, 'running')
  })

  describe('after it was seen', () => {
    let processes: KeepalivedProcesses
    let nowMs = 0
    beforeEach(() => {
      nowMs = 0
      addPair()
      processes = new KeepalivedProcesses(
        () => places(),
        proc(),
        () => nowMs,
      )
      assert.equal(processes.look().state, 'running')
    })
    afterEach(() => processes.close())

    /** A descriptor of a real /proc tells that the process is gone; one of a file does not, so the state says it. */
    const end = (pid: number): void => {
      writeFileSync(`${proc()}/${pid}/stat`, `${pid} (keepalived) Z 1 `)
      remove(pid)
    }

    it('has died, and is not taken for another one that ran beside it', () => {
      add(70, { comm: 'keepalived', parent: 1, startedTick: 50 })
      add(71, { comm: 'keepalived', parent: 70, startedTick: 50 })
      end(50)
      end(51)
      const { state, died } = processes.look()
      assert.deepEqual({ state, died }, { state: 'absent', died: true })
    })

    it('has not died for certain while VRRP is spoken here, and its successor is found', () => {
      end(50)
      end(51)
      assert.equal(processes.look().state, 'unknown')
      add(80, { comm: 'keepalived', parent: 1, startedTick: 200 })
      add(81, { comm: 'keepalived', parent: 80, startedTick: 200 })
      nowMs += 1000
      assert.equal(processes.look().vrrpPid, 81)
    })

    it('goes on under a new name', () => {
      writeFileSync(`${proc()}/51/stat`, `51 (renamed) S 50 ${'0 '.repeat(17)}100 0`)
      assert.equal(processes.look().state, 'running')
    })
  })
})
