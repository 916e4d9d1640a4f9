import assert from 'node:assert/strict'
import * as disk from 'node:fs/promises'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { z } from 'zod'
import { DurableFile, DurableFileError, type FileSystem } from '../../../../shared/disk/durable-file.ts'
import { DurableStore } from '../../../../shared/disk/durable-store.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'

const schema = z.strictObject({ ballots: z.record(z.string(), z.number()) })
type Content = z.infer<typeof schema>
const format = 'test/ledger/1'

/** The real disk until call number `failAt`, which fails and, like a crash, lets no later call through. */
function failingDisk(failAt: number, errno: string, crashed = true): FileSystem & { calls: number } {
  const state = { calls: 0 }
  const step = async <R>(call: () => Promise<R>): Promise<R> => {
    state.calls += 1
    if (crashed ? state.calls >= failAt : state.calls === failAt)
      throw Object.assign(new Error(errno), { code: errno })
    return call()
  }
  return {
    get calls() {
      return state.calls
    },
    open: async (path, flags, mode) => {
      const handle = await step(() => disk.open(path, flags, mode))
      return {
        writeFile: (data) =>
          step(() => handle.writeFile(data)).catch(async (error: unknown) => {
            // A write that fails has written a part.
            await handle.writeFile(data.slice(0, data.length / 2))
            throw error
          }),
        sync: () => step(() => handle.sync()),
        close: () => handle.close(),
      }
    },
    readFile: (path, encoding) => step(() => disk.readFile(path, encoding)),
    rename: (from, to) => step(() => disk.rename(from, to)),
    mkdir: (path, options) => step(() => disk.mkdir(path, options)),
    access: (path) => step(() => disk.access(path)),
    unlink: (path) => step(() => disk.unlink(path)),
  }
}

describe('durable-file', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'durable-file-'))
    path = join(folder, 'ledger', 'web.json')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const file = (fileSystem?: FileSystem): DurableFile<Content> =>
    new DurableFile({ path, format, schema, nowMs: () => 0, ...(fileSystem && { fileSystem }) })

  it('reads back what it wrote, mode 0600', async () => {
    await file().write({ ballots: { VI_1: 7, '51': 2 } })
    assert.deepEqual(await file().read(), { ballots: { VI_1: 7, '51': 2 } })
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder, 'ledger')).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(join(folder, 'ledger')), ['web.json'])
  })

  it('tells a missing file from a torn one', async () => {
    const missing = file()
    assert.equal(await missing.read(), null)
    assert.deepEqual(missing.found, { kind: 'missing' })

    await file().write({ ballots: { VI_1: 7 } })
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20))
    const torn = file()
    assert.equal(await torn.read(), null)
    assert.deepEqual(torn.found, {
      kind: 'torn',
      reason: 'it is not JSON, so it was cut off or overwritten',
      keptAs: `${path}.torn-1`,
    })
    await torn.read()
    assert.equal(torn.found.kind, 'missing', 'it was set aside')
  })

  it('says what is wrong with a torn file', async () => {
    const reasons: string[] = []
    await file().write({ ballots: { VI_1: 7 } })
    const good = readFileSync(path, 'utf8')
    for (const text of [
      '',
      '{"hello": 1}',
      good.replace('test/ledger/1', 'test/ledger/2'),
      good.replace('"VI_1":7', '"VI_1":8'),
      '\0'.repeat(good.length),
    ]) {
      writeFileSync(path, text)
      const torn = file()
      await torn.read()
      reasons.push(torn.found.kind === 'torn' ? torn.found.reason : torn.found.kind)
    }
    assert.deepEqual(reasons, [
      'it is empty',
      'it has no format and checksum, so it was written by something else',
      'its format is "test/ledger/2", but "test/ledger/1" is expected',
      'its checksum does not match its content',
      'it is not JSON, so it was cut off or overwritten',
    ])
    assert.equal(readdirSync(join(folder, 'ledger')).length, 5, 'each is kept under a name of its own')
  })

  it('notices any change of a bit', async () => {
    await file().write({ ballots: { VI_1: 7, VI_2: 9 } })
    const good = readFileSync(path)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 2), // the last byte is the end of the line
        fc.nat(7),
        async (at, bit) => {
          const bad = Buffer.from(good)
          bad[at] = bad[at]! ^ (1 << bit)
          writeFileSync(path, bad)
          const torn = file()
          await torn.read()
          assert.equal(torn.found.kind, 'torn')
          for (const name of readdirSync(join(folder, 'ledger'))) rmSync(join(folder, 'ledger', name))
        },
      ),
      { numRuns: storiesFrom(67) },
    )
  })

  it('has the old or the new content after a crash between any two system calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.boolean(), async (failAt, crashed) => {
        rmSync(join(folder, 'ledger'), { recursive: true, force: true })
        await file().write({ ballots: { VI_1: 1 } })
        const failing = failingDisk(failAt, 'EIO', crashed)
        const failure = await file(failing)
          .write({ ballots: { VI_1: 2 } })
          .then(
            () => null,
            (error: unknown) => error,
          )
        assert.ok(failure === null || failure instanceof DurableFileError)
        const after = await file().read()
        assert.ok(after !== null, `nothing readable after a failure of call ${failAt}`)
        assert.ok([1, 2].includes(after.ballots.VI_1 ?? 0))
        if (failure === null) assert.equal(after.ballots.VI_1, 2, 'a write that was reported done is there')
      }),
      { numRuns: storiesFrom(33) },
    )
  })

  it('says which error the disk had, and what to do', async () => {
    await assert.rejects(file(failingDisk(3, 'ENOSPC', false)).write({ ballots: {} }), {
      code: 'durable-file',
      errno: 'ENOSPC',
      path,
      message: `${path}: cannot be written: ENOSPC: the disk is full; free some space`,
    })
  })

  it('never overwrites a torn file that it could not set aside', async () => {
    await file().write({ ballots: { VI_1: 1 } })
    writeFileSync(path, 'torn')
    const failing = failingDisk(2, 'EROFS', false)
    const torn = file(failing)
    await torn.read()
    assert.deepEqual(torn.found, {
      kind: 'torn',
      reason: 'it is not JSON, so it was cut off or overwritten',
      keptAs: null,
    })
    assert.equal(readFileSync(path, 'utf8'), 'torn')
    await torn.write({ ballots: { VI_1: 2 } })
    assert.equal(readFileSync(`${path}.torn-1`, 'utf8'), 'torn')
    assert.deepEqual(await file().read(), { ballots: { VI_1: 2 } })
  })

  it('measures how long a write took', async () => {
    let nowMs = 0
    const timed = new DurableFile({ path, format, schema, nowMs: () => (nowMs += 30) })
    assert.equal(timed.lastWriteMs, null)
    await timed.write({ ballots: {} })
    assert.equal(timed.lastWriteMs, 30)
  })

  describe('as a store', () => {
    const open = (fileSystem?: FileSystem): Promise<DurableStore<Content>> =>
      DurableStore.open(
        { path, format, schema, nowMs: () => 0, ...(fileSystem && { fileSystem }) },
        { ballots: {} },
      )
    const put = (instance: string, epoch: number) => (data: Content) => ({
      ballots: { ...data.ballots, [instance]: epoch },
    })

    it('starts from the initial value when there is no file to trust, and says so', async () => {
      const store = await open()
      assert.deepEqual(store.data, { ballots: {} })
      assert.equal(store.found.kind, 'missing')
    })

    it('has every change on disk when its update is settled', async () => {
      const store = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), async (pauses) => {
          let pending: Promise<void>[] = []
          for (const [index, pause] of pauses.entries()) {
            pending.push(
              store.update(put('VI_1', index)).then(async () => {
                const onDisk = await file().read()
                assert.ok((onDisk?.ballots.VI_1 ?? -1) >= index)
              }),
            )
            if (pause === 0) {
              await Promise.all(pending)
              pending = []
            } else for (let turn = 1; turn < pause; turn += 1) await Promise.resolve()
          }
          await Promise.all(pending)
        }),
        { numRuns: storiesFrom(10) },
      )
    })

    it('lets changes that come during a write share the next one', async () => {
      const counting = failingDisk(Number.MAX_SAFE_INTEGER, 'EIO')
      const store = await open(counting)
      await store.update(put('VI_0', 1))
      const before = counting.calls
      await store.update(put('VI_0', 2))
      const callsOfOne = counting.calls - before
      await Promise.all([1, 2, 3, 4, 5].map((n) => store.update(put(`VI_${n}`, n))))
      assert.equal(counting.calls - before, 3 * callsOfOne)
      assert.equal(Object.keys((await file().read())?.ballots ?? {}).length, 6)
    })

    it('fails the update whose write failed, and goes on with the next', async () => {
      const store = await open(failingDisk(4, 'ENOSPC', false))
      await assert.rejects(store.update(put('VI_1', 1)), DurableFileError)
      await store.update(put('VI_2', 1))
      assert.deepEqual(await file().read(), { ballots: { VI_1: 1, VI_2: 1 } })
    })
  })
})
