import assert from 'node:assert/strict'
import * as disk from 'node:fs/promises'
import { readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { Registry, registryPathIn, type RegistryOptions } from '../../../../server/registry/registry.ts'
import { DurableFileError, type FileSystem } from '../../../../shared/disk/durable-file.ts'
import { nodeIdentity } from '../../../identities.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const lb01 = { cluster: 'web', node: 'lb01' }
const listener = { address: '10.0.0.11', port: 7401 }
const dayMs = 24 * 3_600_000

describe('registry', () => {
  const file = temporaryFolder()
  let atMs: number
  let wallMs: number
  let errors: DurableFileError[]
  let full: boolean

  const fileSystem: FileSystem = {
    ...disk,
    open: (path, flags, mode) =>
      full && flags === 'w'
        ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
        : disk.open(path, flags, mode),
    readFile: (path, encoding) => disk.readFile(path, encoding),
  }
  const open = (options: Partial<RegistryOptions> = {}): Promise<Registry> =>
    Registry.open({
      folder: file(),
      authorityWasThere: false,
      bootId: 'boot-0001',
      nowMs: () => atMs,
      now: () => new Date(wallMs),
      onError: (error) => errors.push(error),
      fileSystem,
      ...options,
    })
  const restart = (options: Partial<RegistryOptions> = {}): Promise<Registry> =>
    open({ authorityWasThere: true, ...options })
  const invite = async (registry: Registry, node = 'lb01'): Promise<string> => {
    const outcome = await registry.invite({ cluster: 'web', node })
    assert.ok(outcome.kind === 'done', JSON.stringify(outcome))
    return outcome.secret
  }
  const enrol = async (registry: Registry, node = 'lb01'): Promise<void> => {
    const secret = await invite(registry, node)
    const outcome = await registry.redeem({ cluster: 'web', node, secret, ...listener })
    assert.ok(outcome.kind === 'done', JSON.stringify(outcome))
  }
  const reasonOf = (outcome: { kind: string; reason?: string }): string => outcome.reason ?? outcome.kind

  beforeEach(() => {
    atMs = 1000
    wallMs = Date.UTC(2026, 0, 2)
    errors = []
    full = false
  })

  it('knows after a restart who is enrolled, and which invite is used', async () => {
    const registry = await open()
    const secret = await invite(registry)
    assert.deepEqual(await registry.redeem({ ...lb01, secret, ...listener }), { kind: 'done', generation: 1 })
    const after = await restart()
    assert.equal(after.state.kind, 'valid')
    assert.deepEqual(after.members('web'), [{ name: 'lb01', ...listener, leastGeneration: 1 }])
    assert.deepEqual(after.clusters, ['web'])
    assert.equal(reasonOf(await after.redeem({ ...lb01, secret, ...listener })), 'used')
  })

  it('knows after a restart which pair may still serve with a node that was removed, until it is settled', async () => {
    const registry = await open()
    await enrol(registry, 'lb01')
    await enrol(registry, 'lb02')
    await registry.remove({ cluster: 'web', node: 'lb02' })
    const after = await restart()
    const secret = await invite(after, 'lb03')
    const whyNot = (one: Registry) => one.whyNotRedeemed({ cluster: 'web', node: 'lb03', secret })?.reason
    assert.equal(whyNot(after), 'pair-may-serve')
    after.planSettled('web', { node: 'lb01', members: ['lb01'] })
    await after.flush()
    assert.equal(whyNot(await restart()), undefined)
  })

  it('keeps no secret, and nothing that others can read', async () => {
    const registry = await open()
    const secret = await invite(registry)
    const text = readFileSync(registryPathIn(file()), 'utf8')
    assert.ok(!text.includes(secret))
    assert.match(secret, /^[A-Za-z0-9_-]{22}$/)
    assert.equal(statSync(registryPathIn(file())).mode & 0o777, 0o600)
  })

  it('takes an invite in its 15 minutes, on the boot clock, and in no other boot', async () => {
    const registry = await open()
    const secret = await invite(registry)
    wallMs += 400 * dayMs
    assert.equal(registry.whyNotRedeemed({ ...lb01, secret }), null, 'the wall clock says nothing')
    const rebooted = await restart({ bootId: 'boot-0002' })
    assert.equal(reasonOf(await rebooted.redeem({ ...lb01, secret, ...listener })), 'other-boot')
    assert.deepEqual(rebooted.openInvites, [])
    const again = await restart()
    assert.deepEqual(again.openInvites, [{ ...lb01, endsInMs: 15 * 60_000 }])
    atMs += 15 * 60_000
    assert.equal(reasonOf(await again.redeem({ ...lb01, secret, ...listener })), 'late')
    assert.deepEqual(again.openInvites, [])
    assert.deepEqual(again.members('web'), [])
  })

  it('refuses a secret that it never gave out', async () => {
    const registry = await open()
    await invite(registry)
    const secret = 'A'.repeat(22)
    assert.equal(registry.whyNotRedeemed({ ...lb01, secret })?.reason, 'unknown')
    assert.equal(reasonOf(await registry.redeem({ ...lb01, secret, ...listener })), 'unknown')
  })

  it('lets one of two joins that race for an invite win', async () => {
    const registry = await open()
    const secret = await invite(registry)
    const outcomes = await Promise.all(
      ['10.0.0.11', '10.0.0.66'].map((address) => registry.redeem({ ...lb01, secret, address, port: 7401 })),
    )
    assert.deepEqual(outcomes.map(reasonOf), ['done', 'used'])
    assert.equal(registry.members('web')[0]?.address, '10.0.0.11')
  })

  it('enrols nobody, and uses up no invite, while it cannot be kept', async () => {
    const registry = await open()
    const secret = await invite(registry)
    full = true
    await assert.rejects(registry.redeem({ ...lb01, secret, ...listener }), DurableFileError)
    await assert.rejects(registry.invite({ cluster: 'web', node: 'lb02' }), /disk is full; free some space/)
    assert.deepEqual(registry.members('web'), [])
    full = false
    assert.equal((await registry.redeem({ ...lb01, secret, ...listener })).kind, 'done')
  })

  it('shuts a removed node out at once, and says so when that cannot be kept', async () => {
    const registry = await open()
    await enrol(registry)
    full = true
    await assert.rejects(registry.remove(lb01), DurableFileError)
    assert.equal(reasonOf(registry.mayConnect(nodeIdentity('lb01'))), 'removed')
    assert.equal((await restart()).mayConnect(nodeIdentity('lb01')).kind, 'ok', 'as the error said')
    full = false
    await registry.remove(lb01)
    assert.equal(reasonOf((await restart()).mayConnect(nodeIdentity('lb01'))), 'removed')
  })

  it('shuts a removed node out while the disk hangs with an earlier change, and forgets neither', async () => {
    let mend = (): void => undefined
    const mended = new Promise<void>((resolve) => (mend = resolve))
    let hangs = false
    const registry = await open({
      fileSystem: {
        ...fileSystem,
        open: async (path, flags, mode) => {
          if (hangs && flags === 'w') await mended
          return disk.open(path, flags, mode)
        },
      },
    })
    await enrol(registry)
    const secret = await invite(registry, 'lb02')
    hangs = true
    const renewal = registry.renew(nodeIdentity('lb01'))
    const joining = registry.redeem({ cluster: 'web', node: 'lb02', secret, ...listener })
    await new Promise((resolve) => setImmediate(resolve))
    const removal = registry.remove(lb01)
    assert.equal(reasonOf(registry.mayConnect(nodeIdentity('lb01'))), 'removed')
    mend()
    assert.deepEqual((await Promise.all([renewal, joining, removal])).map(reasonOf), [
      'removed',
      'done',
      'done',
    ])
    for (const one of [registry, await restart()])
      assert.deepEqual(
        one.entries.map(({ node, generation, removed }) => [node, generation, removed]),
        [
          ['lb01', 1, true],
          ['lb02', 1, false],
        ],
      )
  })

  it('refuses the renewal of a removed node, and renewals without a pause', async () => {
    const registry = await open()
    await enrol(registry)
    assert.deepEqual(await registry.renew(nodeIdentity('lb01')), { kind: 'done', generation: 2 })
    assert.equal(reasonOf(await registry.renew(nodeIdentity('lb01'))), 'too-soon')
    atMs += 2000
    assert.deepEqual(await registry.renew(nodeIdentity('lb01')), { kind: 'done', generation: 3 })
    await registry.remove(lb01)
    atMs += 2000
    assert.equal(reasonOf(await registry.renew(nodeIdentity('lb01'))), 'removed')
  })

  it('refuses an older certificate from the first use of a newer one on, also after a restart', async () => {
    const registry = await open()
    await enrol(registry)
    await registry.renew(nodeIdentity('lb01'))
    const changed: string[] = []
    registry.onChange((cluster) => changed.push(cluster))
    assert.equal(registry.sawInUse(nodeIdentity('lb01'), listener), 'known')
    await registry.flush()
    assert.deepEqual(changed, [], 'nothing is new')
    assert.equal(registry.sawInUse(nodeIdentity('lb01', { generation: 2 }), listener), 'known')
    await registry.flush()
    assert.deepEqual(changed, ['web'])
    for (const one of [registry, await restart()]) {
      assert.equal(reasonOf(one.mayConnect(nodeIdentity('lb01'))), 'superseded')
      assert.equal(one.members('web')[0]?.leastGeneration, 2)
    }
  })

  it('asks for a renewal after 30 days, and when the admin wants one, until it is in use', async () => {
    const registry = await open()
    await enrol(registry)
    assert.equal(registry.renewalDue(nodeIdentity('lb01')), false)
    wallMs += 30 * dayMs + 1
    assert.equal(registry.renewalDue(nodeIdentity('lb01')), true)
    await registry.renew(nodeIdentity('lb01'))
    assert.equal(registry.renewalDue(nodeIdentity('lb01', { generation: 2 })), false)
    await registry.rotate(lb01)
    const changed: string[] = []
    registry.onChange((cluster) => changed.push(cluster))
    assert.equal(registry.renewalDue(nodeIdentity('lb01', { generation: 2 })), true)
    atMs += 2000
    await registry.renew(nodeIdentity('lb01', { generation: 2 }))
    assert.equal(registry.renewalDue(nodeIdentity('lb01', { generation: 2 })), true)
    assert.equal(registry.renewalDue(nodeIdentity('lb01', { generation: 3 })), false)
  })

  it('tells of each change that is another plan', async () => {
    const registry = await open()
    const changed: string[] = []
    registry.onChange((cluster) => changed.push(cluster))
    await enrol(registry)
    await registry.rotate(lb01)
    await registry.remove(lb01)
    assert.deepEqual(changed, ['web', 'web', 'web'])
  })

  describe('lost', () => {
    it('is noticed when it is torn or missing, and stays known after the next restart', async () => {
      await enrol(await open())
      writeFileSync(registryPathIn(file()), 'torn')
      const torn = await restart()
      assert.deepEqual(torn.state, {
        kind: 'lost',
        reason: 'it is not JSON, so it was cut off or overwritten',
        keptAs: `${registryPathIn(file())}.torn-1`,
      })
      unlinkSync(registryPathIn(file()))
      const missing = await restart()
      assert.equal(missing.state.kind, 'lost')
      assert.equal(missing.lostAt, '2026-01-02T00:00:00.000Z')
      const later = await restart()
      assert.deepEqual([later.state.kind, later.lostAt], ['valid', '2026-01-02T00:00:00.000Z'])
    })

    it('takes nodes as they come, and keeps them', async () => {
      const registry = await restart()
      assert.equal(registry.mayConnect(nodeIdentity('lb01', { generation: 4 })).kind, 'ok')
      assert.equal(registry.sawInUse(nodeIdentity('lb01', { generation: 4 }), listener), 'adopted')
      await registry.flush()
      const after = await restart()
      assert.deepEqual(after.members('web'), [{ name: 'lb01', ...listener, leastGeneration: 4 }])
    })

    it('is told when it was put back to an older state', async () => {
      const registry = await open()
      await enrol(registry)
      assert.equal(registry.sawInUse(nodeIdentity('lb01', { generation: 3 }), listener), 'ahead')
      await registry.flush()
      assert.equal(reasonOf(registry.mayConnect(nodeIdentity('lb01', { generation: 2 }))), 'superseded')
    })

    it('does not keep the witness from starting while the disk is full', async () => {
      full = true
      const registry = await restart()
      assert.equal(registry.state.kind, 'lost')
      assert.equal(errors.length, 1)
      registry.sawInUse(nodeIdentity('lb01', { generation: 4 }), listener)
      await registry.flush()
      assert.equal(registry.members('web').length, 1)
      assert.equal(errors.length, 2)
    })
  })
})
