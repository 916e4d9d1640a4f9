/** Nothing of a lab outlives its runner, however the runner ends. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { labFolders, sweepAbandonedFolders } from './lab-folder.ts'
import { until } from './pause.ts'
import { assertPrerequisites } from './prerequisites.ts'

/** It is asked whether it happens, not how fast; a busy machine takes its time. */
const patienceMs = 60_000

const kinds = ['net', 'mnt', 'pid', 'uts'] as const

describe('the end of a lab', function () {
  this.timeout(3 * 60_000)

  before(() => assertPrerequisites())

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
    it(`leaves no process, namespace or folder after ${signal}`, async () => {
      const runner = startRunner()
      const namespaces = await until('the lab stands', { withinMs: patienceMs, everyMs: 100 }, () =>
        Promise.resolve(standingLab(runner)),
      )
      runner.kill(signal)
      await once(runner, 'exit')
      await untilEmpty(namespaces)
      if (signal === 'SIGKILL') sweepAbandonedFolders()
      assert.deepEqual(foldersOf(runner), [])
    })

  it('leaves no process and no namespace after a failure, but the logs', async () => {
    const runner = startRunner()
    const namespaces = await until('the lab stands', { withinMs: patienceMs, everyMs: 100 }, () =>
      Promise.resolve(standingLab(runner)),
    )
    const folder = hostsFolderOf(runner) ?? ''
    for (const init of initsOf(folder)) killIfThere(Number(init))
    const [code] = (await once(runner, 'exit')) as unknown[]
    const logs = existsSync(join(folder, 'lb01/keepalived.log'))
    rmSync(folder, { recursive: true })
    assert.equal(code, 1)
    assert.ok(logs, 'no logs are kept')
    await untilEmpty(namespaces)
  })
})

function startRunner(): ChildProcess {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  return spawn(
    process.execPath,
    ['--import', 'tsx', main, 'run', 'vrrp-block', '--arbiter', 'none', '--quick'],
    { stdio: 'ignore' },
  )
}

/** The namespaces of the runner's lab, once keepalived runs on two hosts; null before. */
function standingLab(runner: ChildProcess): ReadonlySet<string> | null {
  const folder = hostsFolderOf(runner)
  if (folder === undefined) return null
  const own = new Set(kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)))
  return new Set(
    initsOf(folder)
      .flatMap(namespacesOf)
      .filter((namespace) => !own.has(namespace)),
  )
}

/** Of its folders the one with the hosts, of which two run keepalived; undefined before. */
function hostsFolderOf(runner: ChildProcess): string | undefined {
  return foldersOf(runner).find((folder) =>
    ['lb01', 'lb02'].every((host) => existsSync(join(folder, host, 'keepalived.log'))),
  )
}

/** The hosts' first processes, and the `unshare` before each. */
/** The runner ends the other hosts as soon as one is gone. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function initsOf(folder: string): string[] {
  return processes().filter((pid) => readOr(`/proc/${pid}/environ`, '').includes(`LAB_FOLDER=${folder}\0`))
}

/** The kernel takes a moment to end what a host was running. */
async function untilEmpty(namespaces: ReadonlySet<string>): Promise<void> {
  assert.ok(namespaces.size > 0)
  await until('all namespaces are gone', { withinMs: patienceMs, everyMs: 50 }, () =>
    Promise.resolve(processesIn(namespaces).length === 0 ? true : null),
  )
}

function foldersOf(runner: ChildProcess): string[] {
  return labFolders().filter((path) => path.includes(`-lab-${runner.pid ?? 0}-`))
}

function processesIn(namespaces: ReadonlySet<string>): string[] {
  return processes().filter((pid) => namespacesOf(pid).some((namespace) => namespaces.has(namespace)))
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

function namespacesOf(pid: string): string[] {
  return kinds.flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)]
    } catch {
      return [] // It ended in the meantime.
    }
  })
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
