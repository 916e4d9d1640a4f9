import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootId } from '../../../../shared/host/boot-clock.ts'
import { FolderLockError, lockFolder, type FolderLock } from '../../../../shared/disk/folder-lock.ts'

const script = `
  import { lockFolder } from './shared/disk/folder-lock.ts'
  import { bootId } from './shared/host/boot-clock.ts'
  process.stdin.once('data', () => {
    try {
      lockFolder({ path: process.argv[1], program: 'witnessd', option: 'dataDir', bootId: bootId() })
      console.log('held')
    } catch (error) {
      console.log(error.message)
    }
  })
  console.log('ready')
`

/** A process of its own that locks a folder when told, and then lives on. */
class Contender {
  readonly child: ChildProcess
  #lines: string[] = []
  #wake: () => void = () => undefined

  constructor(folder: string) {
    this.child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script, folder],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    this.child.stdout?.on('data', (data) => {
      this.#lines.push(...String(data).split('\n').slice(0, -1))
      this.#wake()
    })
  }

  get pid(): number {
    const { pid } = this.child
    assert.ok(pid !== undefined)
    return pid
  }

  async line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift()
      if (line !== undefined) return line
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async ready(): Promise<this> {
    assert.equal(await this.line(), 'ready')
    return this
  }

  lock(): Promise<string> {
    this.child.stdin?.write('go\n')
    return this.line()
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

describe('the lock of a folder', function () {
  this.timeout(30_000)
  let parent = ''
  let folder = ''
  const contenders: Contender[] = []
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'folder-lock-'))
    folder = join(parent, 'state')
  })
  afterEach(async () => {
    await Promise.all(contenders.splice(0).map((one) => one.kill()))
    rmSync(parent, { recursive: true })
  })

  const contend = async (): Promise<Contender> => {
    const one = new Contender(folder)
    contenders.push(one)
    return one.ready()
  }
  const lock = (changes: { create?: () => void } = {}): FolderLock =>
    lockFolder({ path: folder, program: 'witnessd', option: 'dataDir', bootId: bootId(), ...changes })
  const locks = (): string[] => readdirSync(folder).filter((name) => name.startsWith('lock.'))
  /** The clock tick at which a process started, as proc(5) counts it. */
  const startOf = (pid: number): string => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
  }
  const leave = (pid: number, started: string, boot = bootId()): void => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `lock.${pid}.${started}.${boot}`), '')
  }

  it('keeps a second process out as long as the first lives, and names folder, pid and option', async () => {
    const [first, second] = [await contend(), await contend()]
    assert.equal(await first.lock(), 'held')
    const refused = await second.lock()
    assert.match(
      refused,
      new RegExp(`^${folder}: another witnessd is using this folder \\(pid ${first.pid}\\)`),
    )
    assert.match(refused, /a folder of its own with dataDir$/)
    assert.equal(locks().length, 1, 'the second leaves nothing')
    assert.throws(() => lock(), FolderLockError)
  })

  it('is free as soon as its process is killed, without anybody cleaning up', async () => {
    const first = await contend()
    assert.equal(await first.lock(), 'held')
    await first.kill()
    const { path } = lock()
    assert.deepEqual(locks(), [path?.slice(folder.length + 1)], 'what the dead one left is gone')
    assert.equal(statSync(path ?? '').mode & 0o777, 0o600)
  })

  it('is kept by a process that is stopped', async () => {
    const first = await contend()
    assert.equal(await first.lock(), 'held')
    first.child.kill('SIGSTOP')
    assert.throws(() => lock(), /is using this folder/)
  })

  it('is not kept by another process that has the pid of the dead one', () => {
    leave(process.ppid, String(Number(startOf(process.ppid)) - 1))
    const { path } = lock()
    assert.deepEqual(locks(), [path?.slice(folder.length + 1)])
  })

  it('is not kept by a process of another boot, whatever its pid and start', () => {
    leave(process.ppid, startOf(process.ppid), 'a-boot-before-this-one')
    const { path } = lock()
    assert.deepEqual(locks(), [path?.slice(folder.length + 1)])
  })

  it('is not kept by a process that is dead and only waits for its parent', async () => {
    const parentOfZombie = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(parentOfZombie.stdout, 'data')) as [Buffer]
      const pid = Number(line.toString())
      while (!readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) await new Promise(setImmediate)
      leave(pid, startOf(pid))
      lock()
      assert.equal(locks().length, 1)
    } finally {
      parentOfZombie.kill('SIGKILL')
      await once(parentOfZombie, 'exit')
    }
  })

  it('is never held by two, however many start in one moment', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => contend()))
    const answers = await Promise.all(all.map((one) => one.lock()))
    const held = answers.filter((answer) => answer === 'held').length
    assert.ok(held <= 1, answers.join('\n'))
    assert.equal(locks().length, held)
  })

  it('is given back in good order, and taken again', () => {
    lock().release()
    assert.deepEqual(locks(), [])
    lock().release()
  })

  it('is not given twice to one process', () => {
    lock()
    assert.throws(() => lock(), /this process \(pid \d+\) is already using this folder/)
    assert.equal(locks().length, 1)
  })

  it('touches nothing else in the folder', () => {
    mkdirSync(folder)
    for (const name of ['state.json', 'lock', 'lock.txt', 'lock.1.2']) writeFileSync(join(folder, name), 'x')
    lock().release()
    assert.deepEqual(readdirSync(folder).sort(), ['lock', 'lock.1.2', 'lock.txt', 'state.json'])
  })

  it('does not keep a host with a full disk from starting, but still sees who works there', () => {
    const full = (): void => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    }
    assert.equal(lock({ create: full }).path, null)
    leave(process.ppid, startOf(process.ppid))
    assert.throws(() => lock({ create: full }), new RegExp(`pid ${process.ppid}`))
  })

  it('says what to do where the folder cannot be one', () => {
    writeFileSync(folder, 'a file')
    assert.throws(
      () => lock(),
      /state: cannot be locked .*make it a folder that this user may read and write/,
    )
  })
})
