/** What an agent's promises survive: a crash between any two system calls, of the process alone or of the host. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { AgentStore } from '../../../../agent/runtime/store.ts'
import { CrashingDisk, everyLoss } from '../../../fixtures/crashing-disk.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const instance = 'VI_1'
const stateDir = '/var/lib/agent'

describe('the promises of an agent over crashes', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const open = (fileSystem: CrashingDisk): Promise<AgentStore> =>
    AgentStore.open({ stateDir, runDir: folder(), bootId: 'boot-1', nowMs: () => 0, fileSystem })

  /** The process dies with call number `at`. @returns the epoch that was promised by then, and whether it died */
  async function live(disk: CrashingDisk, at: number): Promise<{ promised: number; died: boolean }> {
    disk.diesAt = at
    let promised = 0
    const store = await open(disk).catch(() => null)
    for (let epoch = 1; store !== null && epoch <= 2; epoch++)
      await store.record(instance, { to: 'lb01', epoch }).then(
        () => (promised = epoch),
        () => undefined,
      )
    return { promised, died: disk.calls >= at }
  }

  /** The epoch that a starting agent goes on from; null where it knows that it knows nothing. */
  async function found(disk: CrashingDisk): Promise<number | null> {
    disk.restartProcess()
    const recovered = (await open(disk)).recovered(instance)
    return recovered.kind === 'lost' ? null : (recovered.ballot?.epoch ?? 0)
  }

  it('are found after a loss of power between any two calls, or known to be lost where none was given', async () => {
    let losses = 0
    for (let at = 1, died = true; died; at++) {
      const disk = new CrashingDisk()
      const life = await live(disk, at)
      died = life.died
      for (const after of everyLoss(disk)) {
        const epoch = await found(after)
        if (epoch === null) assert.equal(life.promised, 0)
        else assert.ok(epoch >= Math.max(1, life.promised), `epoch ${epoch} after ${life.promised}`)
        losses += 1
      }
    }
    assert.ok(losses > 300, `only ${losses} states were looked at`)
  })

  it('do not go back behind what a restarted agent has read, though the power goes right after', async () => {
    for (let at = 1, died = true; died; at++) {
      const disk = new CrashingDisk()
      died = (await live(disk, at)).died
      const read = await found(disk)
      for (const after of everyLoss(disk)) assert.equal(await found(after), read)
    }
  })

  it('are kept aside where a part of them is left, and count as lost', async () => {
    const disk = new CrashingDisk()
    await live(disk, Infinity)
    disk.lies = true
    await (await open(disk)).record(instance, { to: 'lb01', epoch: 3 })
    for (const after of everyLoss(disk)) {
      const path = join(stateDir, 'state.json')
      const left = after.files().get(path)
      const epoch = await found(after)
      if (epoch === null) assert.equal(after.files().get(`${path}.torn-1`), left)
      else assert.ok(epoch === 2 || epoch === 3)
    }
  })
})
