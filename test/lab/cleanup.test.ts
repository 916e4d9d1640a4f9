/** Nothing of a lab outlives its runner, however that ends. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folderPrefix, sweepAbandonedFolders } from './lab-folder.ts'
import { until } from './pause.ts'
import { assertPrerequisites } from './prerequisites.ts'

const kinds = ['net', 'mnt', 'pid', 'uts'] as const

describe('the end of a lab', function () {
  this.timeout(60_000)

  before(() => assertPrerequisites())

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
    it(`leaves no process, namespace or folder after ${signal}`, async () => {
      const runner = startRunner()
      const namespaces = await until('the lab stands', { withinMs: 30_000, everyMs: 100 }, () =>
        Promise.resolve(standingLab(runner)),
      )
      runner.kill(signal)
      await once(runner, 'exit')
      await until('all namespaces are gone', { withinMs: 5000, everyMs: 50 }, () =>
        Promise.resolve(processesIn(namespaces).length === 0 ? true : null),
      )
      if (signal === 'SIGKILL') sweepAbandonedFolders()
      assert.deepEqual(foldersOf(runner), [])
    })

  it('leaves no process and no namespace after a failure, but the logs', async () => {
    const brokenPrograms = mkdtempSync(join(tmpdir(), 'broken-programs-'))
    writeFileSync(join(brokenPrograms, 'keepalived'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    const runner = startRunner({ PATH: `${brokenPrograms}:${process.env.PATH ?? ''}` })
    const namespaces = await until('the lab stands', { withinMs: 30_000, everyMs: 100 }, () =>
      Promise.resolve(standingLab(runner)),
    )
    const [code] = (await once(runner, 'exit')) as unknown[]
    const folders = foldersOf(runner)
    for (const folder of [brokenPrograms, ...folders]) rmSync(folder, { recursive: true })
    assert.equal(code, 1)
    assert.deepEqual(processesIn(namespaces), [])
    assert.equal(folders.length, 1)
  })
})

function startRunner(environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  return spawn(
    process.execPath,
    ['--import', 'tsx', main, 'run', 'vrrp-block', '--arbiter', 'none', '--quick'],
    { stdio: 'ignore', env: { ...process.env, ...environment } },
  )
}

/** The namespaces of the runner's lab, once keepalived runs on two hosts; null before. */
function standingLab(runner: ChildProcess): ReadonlySet<string> | null {
  const folder = foldersOf(runner)[0]
  if (folder === undefined) return null
  if (!existsSync(join(folder, 'lb01/keepalived.log')) || !existsSync(join(folder, 'lb02/keepalived.log')))
    return null
  const inits = processes().filter((pid) =>
    readOr(`/proc/${pid}/environ`, '').includes(`LAB_FOLDER=${folder}\0`),
  )
  const own = new Set(kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)))
  return new Set(inits.flatMap(namespacesOf).filter((namespace) => !own.has(namespace)))
}

function foldersOf(runner: ChildProcess): string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(`${folderPrefix}${runner.pid ?? 0}-`))
    .map((name) => join(tmpdir(), name))
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
      return [] // It ended meanwhile.
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
