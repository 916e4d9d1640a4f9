/** Nothing of booted hosts outlives their runner, however the runner ends. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { labFolders, sweepAbandonedFolders } from '../lab/lab-folder.ts'
import { until } from '../lab/pause.ts'
import { baseImage } from './base-image.ts'
import { controlGroups, sweepControlGroups } from './control-group.ts'
import { ensureHostPrerequisites } from './host-prerequisites.ts'

describe('the end of booted hosts', function () {
  this.timeout(2 * 60_000)

  before(async function () {
    this.timeout(8 * 60_000)
    await ensureHostPrerequisites()
    await baseImage((text) => console.log(`    ${text}`))
  })

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    it(`leaves no process, mount, control group or folder after ${signal}`, async () => {
      const mountsBefore = mounts()
      const runner = spawn(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(new URL('programs/boot-only.ts', import.meta.url))],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      )
      const first = await Promise.race([
        once(runner.stdout, 'data').then(() => 'up'),
        once(runner, 'exit').then(() => 'ended'),
      ])
      assert.equal(first, 'up', 'the hosts did not boot')
      const processes = processesOf(runner)
      assert.ok(processes.length > 10, `${processes.length} processes are in the hosts`)
      runner.kill(signal)
      await once(runner, 'exit')
      await until('all processes are gone', { withinMs: 5000, everyMs: 50 }, () =>
        Promise.resolve(processes.every((pid) => !existsSync(`/proc/${pid}`)) ? true : null),
      )
      if (signal === 'SIGKILL') {
        sweepAbandonedFolders()
        sweepControlGroups()
      }
      assert.deepEqual(
        labFolders().filter((path) => path.includes(`-lab-${runner.pid ?? 0}-`)),
        [],
      )
      assert.deepEqual(
        controlGroups().filter((path) => path.includes(`-${runner.pid ?? 0}-`)),
        [],
      )
      assert.deepEqual(mounts(), mountsBefore)
    })
})

/** The hosts' processes are those in the runner's control groups. */
function processesOf(runner: ChildProcess): string[] {
  return controlGroups()
    .filter((path) => path.includes(`-${runner.pid ?? 0}-`))
    .flatMap(processesIn)
}

function processesIn(group: string): string[] {
  const own = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)
  const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [...own, ...below.flatMap(({ name }) => processesIn(join(group, name)))]
}

function mounts(): string {
  return readFileSync('/proc/self/mounts', 'utf8')
}
