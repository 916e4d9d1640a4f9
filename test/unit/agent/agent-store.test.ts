import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { AgentStore } from '../../../agent/agent-store.ts'
import { defaultTiming } from '../../../shared/timing.ts'
import { temporaryFolder } from './temporary-folder.ts'

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

  it('forgets marks and instants of another boot, but no promise', async () => {
    const store = await open()
    store.mark('VI_1', { epoch: 7, untilMs: 1900 })
    await store.record('VI_1', ballot)
    await store.remember('VI_1', { stopped: true, number: 2, recentAtMs: [10, 20] })
    const again = await open('boot-2')
    assert.deepEqual(again.recovered('VI_1'), { kind: 'valid', ballot, mark: null })
    assert.deepEqual(again.memory('VI_1'), { stopped: true, number: 2, recentAtMs: [] })
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
