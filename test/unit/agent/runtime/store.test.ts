import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { InstanceIdentity } from '../../../../shared/core/instance-pairing.ts'
import { AgentStore } from '../../../../agent/runtime/store.ts'
import { RunFolderError } from '../../../../shared/disk/run-folder.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('AgentStore', () => {
  const folder = temporaryFolder()
  const open = (bootId = 'boot-1'): Promise<AgentStore> =>
    AgentStore.open({ stateDir: folder('state'), runDir: folder(), bootId, nowMs: () => 0 })
  const ballot = { to: 'lb01', epoch: 7 }

  it('takes a missing file for a lost one', async () => {
    const store = await open()
    assert.deepEqual(store.recovered('VI_1'), { kind: 'lost' })
    assert.equal(store.plan, null)
    assert.deepEqual(store.memory('VI_1'), { stopped: false, number: 0, recentAtMs: [] })
  })

  it('finds promises, marks, fences and the plan again', async () => {
    const store = await open()
    const plan = {
      cluster: 'web',
      timing: defaultTiming,
      nodes: [{ name: 'lb02', address: '10.0.0.12', port: 7401, leastGeneration: 1 }],
    }
    store.mark('VI_1', { epoch: 7, untilMs: 1900 })
    await Promise.all([
      store.record('VI_1', ballot),
      store.remember('VI_1', { stopped: true, number: 2, recentAtMs: [10, 20] }),
      store.keepPlan(plan),
    ])
    const again = await open()
    assert.deepEqual(again.recovered('VI_1'), { kind: 'valid', ballot, mark: { epoch: 7, untilMs: 1900 } })
    assert.deepEqual(again.memory('VI_1'), { stopped: true, number: 2, recentAtMs: [10, 20] })
    assert.deepEqual(again.plan, plan)
  })

  it('knows whether a delegated vote may count beyond a plan', async () => {
    const plan = {
      cluster: 'web',
      timing: defaultTiming,
      nodes: ['lb01', 'lb02'].map((name) => ({ name, address: '10.0.0.1', port: 7401, leastGeneration: 1 })),
    }
    const store = await open()
    await store.record('VI_1', ballot)
    await store.keepVote('VI_1', { of: 'lb02', epoch: 7 })
    assert.equal(store.countsBeyond(plan), false)
    assert.equal(store.countsBeyond({ ...plan, nodes: plan.nodes.slice(0, 1) }), true, 'lb02 was removed')
    await store.keepVote('VI_1', null)
    await store.record('VI_2', { to: 'lb02', epoch: 8, standing: true })
    assert.equal(store.countsBeyond(plan), true, 'this node delegated its own')
    await store.record('VI_2', { to: 'lb02', epoch: 9 })
    assert.equal(store.countsBeyond(plan), false)
  })

  describe('knows whether an instance is armed', () => {
    const readState = (): { armed?: Record<string, boolean> } =>
      (JSON.parse(readFileSync(folder('state/state.json'), 'utf8')) as { data: object }).data
    it('not on a new node, also after its first ballot and a reboot', async () => {
      const store = await open()
      assert.equal(store.armed('VI_1'), false)
      await store.record('VI_1', ballot)
      assert.equal((await open()).armed('VI_1'), false)
      assert.equal((await open('boot-2')).armed('VI_1'), false)
    })

    it('from `arm` on, over restarts and reboots, with a ballot or without one', async () => {
      const store = await open()
      await Promise.all([store.record('VI_1', ballot), store.arm('VI_1'), store.arm('VI_2')])
      await store.record('VI_1', { to: 'lb02', epoch: 8 })
      for (const bootId of ['boot-1', 'boot-2']) {
        const again = await open(bootId)
        assert.deepEqual([again.armed('VI_1'), again.armed('VI_2')], [true, true])
        assert.equal(again.armed('VI_3'), false)
      }
    })

    it('where a file of an older version has a ballot, a kept vote or a fence', async () => {
      const store = await open()
      await store.arm('VI_1')
      await store.record('VI_1', ballot)
      assert.equal(readState().armed, undefined, 'an older agent can read it')
      assert.equal((await open('boot-2')).armed('VI_1'), true)
      await store.keepVote('VI_2', { of: 'lb02', epoch: 3 })
      await store.remember('VI_3', { stopped: false, number: 1, recentAtMs: [] })
      const again = await open()
      assert.deepEqual([again.armed('VI_2'), again.armed('VI_3')], [true, true])
    })

    it('where the file is torn, and from then on', async () => {
      await (await open()).arm('VI_1')
      writeFileSync(folder('state/state.json'), 'torn')
      const torn = await open('boot-2')
      assert.equal(torn.armed('VI_1'), true)
      await torn.record('VI_2', ballot)
      assert.equal((await open('boot-3')).armed('VI_1'), true)
    })

    it('where the file is torn, at once and not with the next promise', async () => {
      await (await open()).arm('VI_1')
      writeFileSync(folder('state/state.json'), 'torn')
      const torn = await open('boot-2')
      assert.equal(torn.armed('VI_1'), true)
      await torn.noteEvidence()
      assert.equal((await open('boot-3')).armed('VI_1'), true)
    })

    it('where the file is lost in this boot', async () => {
      const store = await open()
      store.mark('VI_1', { epoch: 7, untilMs: 1900 })
      assert.equal((await open()).armed('VI_1'), true)
    })
  })

  it('finds the promise of an instance that was renamed, also one that was left, and lets no mark end it', async () => {
    const has = (instance: string, ...vips: string[]): InstanceIdentity => ({
      instance,
      virtualRouterId: 51,
      vips,
    })
    const store = await open()
    await store.identify([has('VI_1', '10.0.0.100/24')]).written
    store.mark('VI_1', { epoch: 7, untilMs: 1900 })
    await store.record('VI_1', { ...ballot, standing: true })
    await store.remember('VI_1', { stopped: true, number: 2, recentAtMs: [] })
    const { moved, written } = store.identify([has('VI_WEB', '10.0.0.100')])
    assert.deepEqual([...moved].sort(), ['VI_1', 'VI_WEB'])
    await written
    const kept = { kind: 'valid', ballot: { ...ballot, standing: true }, mark: null }
    for (const found of [store, await open()]) {
      assert.deepEqual(found.recovered('VI_WEB'), kept)
      assert.deepEqual(found.memory('VI_WEB'), { stopped: true, number: 2, recentAtMs: [] })
    }
    const again = await open()
    assert.equal(again.identify([has('VI_WEB', '10.0.0.100')]).moved.size, 0)
  })

  it('gives each of two instances whose names are swapped its own promise, also where that is seen at the start', async () => {
    const vipOf = (instance: string, vip: string): InstanceIdentity => ({
      instance,
      virtualRouterId: 51,
      vips: [vip],
    })
    const store = await open()
    await store.identify([vipOf('VI_1', '10.0.0.1'), vipOf('VI_2', '10.0.0.2')]).written
    for (const name of ['VI_1', 'VI_2']) store.mark(name, { epoch: 7, untilMs: 1900 })
    await store.record('VI_1', ballot)
    await store.record('VI_2', { to: 'lb02', epoch: 9 })
    const next = await open()
    await next.identify([vipOf('VI_1', '10.0.0.2'), vipOf('VI_2', '10.0.0.1')]).written
    for (const found of [next, await open()]) {
      assert.deepEqual(found.recovered('VI_1'), {
        kind: 'valid',
        ballot: { to: 'lb02', epoch: 9 },
        mark: null,
      })
      assert.deepEqual(found.recovered('VI_2'), { kind: 'valid', ballot, mark: null })
    }
  })

  it('knows an instance again that was gone for a while and comes back under another name', async () => {
    const identity = { virtualRouterId: 51, vips: ['10.0.0.100'] }
    const store = await open()
    await store.identify([{ instance: 'VI_1', ...identity }]).written
    await store.record('VI_1', ballot)
    await store.identify([]).written
    await store.identify([{ instance: 'VI_WEB', ...identity }]).written
    assert.deepEqual((await open()).recovered('VI_WEB'), { kind: 'valid', ballot, mark: null })
  })

  it('forgets marks and instants of another boot, but no promise', async () => {
    const store = await open()
    store.mark('VI_1', { epoch: 7, untilMs: 1900 })
    await store.record('VI_1', ballot)
    await store.remember('VI_1', { stopped: true, number: 2, recentAtMs: [10, 20] })
    const again = await open('boot-2')
    assert.deepEqual(again.recovered('VI_1'), { kind: 'valid', ballot, mark: null })
    assert.deepEqual(again.memory('VI_1'), { stopped: true, number: 2, recentAtMs: [] })
  })

  it('knows of a stop as soon as `remember` returns, whatever becomes of the disk', async () => {
    const store = await open()
    const memory = { stopped: true, number: 2, recentAtMs: [10] }
    const written = store.remember('VI_1', memory)
    assert.deepEqual((await open()).memory('VI_1'), memory)
    await written
    rmSync(folder('state'), { recursive: true })
    assert.deepEqual((await open()).memory('VI_1'), memory, 'the state file is lost')
    await (await open()).remember('VI_2', { ...memory, number: 1 })
    assert.deepEqual((await open('boot-2')).memory('VI_1'), { ...memory, recentAtMs: [] }, 'on disk again')
  })

  it('has it on disk where the run folder cannot be written, and says so', async () => {
    const store = await open()
    const memory = { stopped: true, number: 2, recentAtMs: [] }
    mkdirSync(folder(`.agent.fences.${process.pid}`))
    await assert.rejects(store.remember('VI_1', memory), RunFolderError)
    assert.deepEqual((await open()).memory('VI_1'), memory)
  })

  it('finds a vote that was left, and one that the peer left here, after a reboot', async () => {
    const store = await open()
    assert.deepEqual(store.standing('VI_1'), { kept: null, rebooted: false, inDoubt: true })
    const kept = { of: 'lb02', epoch: 7 }
    await Promise.all([
      store.record('VI_1', { ...ballot, standing: true }),
      store.keepVote('VI_1', kept),
      store.keepVote('VI_2', kept),
    ])
    const same = await open()
    assert.deepEqual(same.standing('VI_1'), { kept, rebooted: false, inDoubt: false })
    const again = await open('boot-2')
    assert.deepEqual(again.standing('VI_1'), { kept, rebooted: true, inDoubt: false })
    assert.deepEqual(again.recovered('VI_1'), {
      kind: 'valid',
      ballot: { ...ballot, standing: true },
      mark: null,
    })
    await again.keepVote('VI_1', null)
    const forgotten = await open('boot-2')
    assert.equal(forgotten.standing('VI_1').kept, null)
    assert.deepEqual(forgotten.standing('VI_2').kept, kept)
  })

  it('treats a torn file as lost and keeps it aside', async () => {
    await (await open()).record('VI_1', ballot)
    writeFileSync(folder('state/state.json'), '{"format":')
    const again = await open()
    assert.deepEqual(again.recovered('VI_1'), { kind: 'lost' })
    assert.equal(again.found.kind, 'torn')
    assert.ok(readdirSync(folder('state')).some((name) => name.includes('torn')))
  })

  it('remembers a loss for instances that it has promised nothing for since', async () => {
    await (await open()).record('VI_1', ballot)
    const again = await open()
    assert.equal(again.recovered('VI_1').kind, 'valid')
    assert.equal(again.recovered('VI_2').kind, 'lost')
  })
})
