/** A real process with the agent's own parts, killed by its stop command or before that has run a single step. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { AgentStore } from '../../../../agent/runtime/store.ts'
import { bundledProgram } from '../../../fixtures/bundled-program.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { instance } from '../../../unit/agent/core/guard/guard-fixture.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('an agent that is killed in its fence', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()

  const fence = (moment: 'at-once' | 'by-its-stop') => {
    mkdirSync(folder('run'))
    // Like systemctl: it goes on when its parent is dead.
    writeFileSync(
      folder('systemctl'),
      `[ ${moment} = by-its-stop ] && kill -KILL $PPID\nsleep 0.2\necho stopped >${folder('keepalived')}\n`,
    )
    const program = bundledProgram('test/programs/agent/runtime/killed-in-a-fence.ts')
    const where = [folder('state'), folder('run'), folder('systemctl'), moment]
    return spawnSync('node', [program, ...where], {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  const successor = (): Promise<AgentStore> =>
    AgentStore.open({ stateDir: folder('state'), runDir: folder('run'), bootId: 'boot-1', nowMs: () => 0 })

  it('by the stop command itself: the successor knows that it owes a start', async () => {
    assert.equal(fence('by-its-stop').signal, 'SIGKILL')
    await eventually('the stop to go on alone', () => existsSync(folder('keepalived')))
    assert.equal((await successor()).memory(instance).stopped, true)
  })

  it('in the same turn, before anything is on disk: the successor knows all the same', async () => {
    assert.equal(fence('at-once').signal, 'SIGKILL')
    await eventually('the stop to go on alone', () => existsSync(folder('keepalived')))
    const state = folder('state/state.json')
    const disk = existsSync(state) ? readFileSync(state, 'utf8') : ''
    assert.doesNotMatch(disk, /"stopped":true/, 'the disk came first: this run shows nothing')
    const found = await successor()
    assert.equal(found.memory(instance).stopped, true)

    rmSync(folder('run/agent.fences'))
    assert.equal((await successor()).memory(instance).stopped, false, 'without the file nobody would know')
  })
})
