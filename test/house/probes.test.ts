/** Mistakes of every kind against the walls, each of which must be stopped: a wall that nobody ran against is a guess. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { readSources, root } from './sources.ts'
import { findForbiddenSyntax } from './syntax.ts'
import { findBreaks } from './walls.ts'

const sources = readSources()
const breaksToday = new Set(findBreaks(sources))

/** What walls and syntax say when `source` stands at the end of `file`, which need not exist yet. */
function breaksWith(file: string, source: string): readonly string[] {
  const changed = new Map(sources).set(file, `${sources.get(file) ?? ''}\n${source}\n`)
  const walls = findBreaks(changed).filter((each) => !breaksToday.has(each))
  return [...walls, ...findForbiddenSyntax(file, source)]
}

const lintSchema = z.object({
  diagnostics: z.array(z.object({ code: z.string().optional(), message: z.string(), filename: z.string() })),
})

/** For each of the probes, which names .oxlintrc.json does not allow in it. */
function lintNames(probes: readonly (readonly [file: string, source: string])[]): readonly string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-probes-'))
  try {
    cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
    const places = probes.map(([file, source], index) => {
      const place = join(dirname(file), `probe-${index}`, basename(file))
      mkdirSync(join(folder, dirname(place)), { recursive: true })
      writeFileSync(join(folder, place), `${source}\n`)
      return place
    })
    const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')
    const args = [oxlint, '--format', 'json', '.']
    const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    const { diagnostics } = lintSchema.parse(JSON.parse(stdout))
    return places.map((place) =>
      diagnostics
        .filter(({ filename, code }) => filename === place && code?.includes('no-restricted-') === true)
        .map(({ message }) => message),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const guard = 'agent/core/guard/guard.ts'

const mistakes: readonly (readonly [what: string, file: string, source: string])[] = [
  [
    'server imports agent',
    'server/clusters/clusters.ts',
    `import { decide } from '../../agent/core/guard/guard.ts'`,
  ],
  [
    'a command of the agent imports server',
    'agent/commands/doctor/doctor.ts',
    `import { judge } from '../../../server/core/arbiter/queries.ts'`,
  ],
  [
    'agent imports a type of server',
    'agent/agent.ts',
    `import type { X } from '../server/core/arbiter/arbiter.ts'`,
  ],
  ['agent imports server at run time', 'agent/main.ts', `void import('../server/core/arbiter/arbiter.ts')`],
  [
    'agent passes on what server has',
    'agent/agent.ts',
    `export { judge } from '../server/core/arbiter/queries.ts'`,
  ],
  [
    'agent names a type of server in place',
    'agent/agent.ts',
    `export type X = import('../server/core/arbiter/arbiter.ts').Arbiter`,
  ],
  ['shared imports server', 'shared/host/log.ts', `import { Ledger } from '../../server/records/ledger.ts'`],
  ['agent imports test', 'agent/agent.ts', `import { x } from '../test/sim/world/host.ts'`],
  ['deploy imports test', 'deploy/package/main.ts', `import { x } from '../../test/sim/world/host.ts'`],
  ['a core imports node:fs', guard, `import { readFileSync } from 'node:fs'`],
  ['a core imports a package', guard, `import { z } from 'zod'`],
  ['a core requires a module', guard, `const fs = require('node:fs')`],
  ['a core imports at run time', guard, `void import('node:fs')`],
  ['a core imports what it computes', guard, `void import('node:' + 'fs')`],
  ['a core imports a shell of its own program', guard, `import { AgentStore } from '../../runtime/store.ts'`],
  [
    'a core imports what spawns',
    'agent/core/guard/phases/fencing.ts',
    `import { runCommand } from '../../../../shared/host/command.ts'`,
  ],
  [
    'the vote imports the disk',
    'shared/core/vote/voter.ts',
    `import { DurableFile } from '../../disk/durable-file.ts'`,
  ],
  ['a core reads the wall clock', guard, `export const now = Date.now()`],
  ['a core makes a date', guard, `export const now = new Date().getTime()`],
  ['a core asks when the program began', guard, `export const began = performance.timeOrigin`],
  ['a core draws an id', guard, `export const id = crypto.randomUUID()`],
  ['a core draws a number', guard, `export const chance = Math.random()`],
  ['a core starts a timer', guard, `setTimeout(() => undefined, 1)`],
  ['a core waits for the next turn', guard, `setImmediate(() => undefined)`],
  ['a core calls a server', guard, `void fetch('http://localhost')`],
  ['a core waits', guard, `export async function wait(): Promise<void> { await undefined }`],
  ['a core waits in a loop', guard, `for await (const each of []) each()`],
  ['a core speaks', guard, `console.log(1)`],
  ['a core reads the environment', guard, `export const home = process.env.HOME`],
  [
    'a new core file imports node:fs',
    'agent/core/guard/phases/serving.ts',
    `import { readFileSync } from 'node:fs'`,
  ],
  ['a shell reads the wall clock', 'agent/fence/announcer.ts', `export const now = Date.now()`],
  [
    'the face of the guard is bypassed',
    'agent/agent.ts',
    `import { stepFencing } from './core/guard/phases/fencing.ts'`,
  ],
  [
    'the face of the arbiter is bypassed',
    'server/records/ledger.ts',
    `import type { Turn } from '../core/arbiter/turn.ts'`,
  ],
  [
    'a phase imports a phase',
    'agent/core/guard/phases/fencing.ts',
    `import { stepHolding } from './holding.ts'`,
  ],
  ['a command imports the daemon', 'agent/commands/setup/setup.ts', `import { Agent } from '../../agent.ts'`],
  ['a folder without a room appears', 'agent/services/unit.ts', `export const unit = 1`],
  ['an import leads out of the house', 'server/witness.ts', `import { x } from '../../elsewhere.ts'`],
  ['a name says its folder again', 'agent/fence/fence-plan.ts', `export const plan = 1`],
  ['a core file grows too long', 'agent/core/guard/plan.ts', '\n'.repeat(301)],
  ['an enum appears', 'agent/fence/announcer.ts', `export enum Colour { red }`],
  ['a test skips itself in silence', 'test/unit/agent/x.test.ts', `it('x', function () { this.skip() })`],
  ['a test is skipped for good', 'test/unit/agent/x.test.ts', `it.skip('x', () => undefined)`],
  ['two files import each other', 'shared/protocol/names.ts', `import { planSchema } from './plan.ts'`],
]

const allowed: readonly (readonly [what: string, file: string, source: string])[] = [
  ['a shell reads the monotonic clock', 'agent/fence/announcer.ts', 'export const began = performance.now()'],
  [
    'a shell imports the face of the guard',
    'agent/agent.ts',
    `import { decide } from './core/guard/guard.ts'`,
  ],
  ['a main.ts reads the wall clock', 'agent/main.ts', 'export const now = Date.now()'],
]

describe('against the walls and the names that a file may use', () => {
  let names: readonly string[][] = []

  before(function () {
    this.timeout(60_000)
    names = lintNames([...mistakes, ...allowed].map(([, file, source]) => [file, source]))
  })

  mistakes.forEach(([what, file, source], index) => {
    it(`a mistake is stopped: ${what}`, () => {
      assert.notDeepEqual([...breaksWith(file, source), ...(names[index] ?? [])], [])
    })
  })

  allowed.forEach(([what, file, source], index) => {
    it(`what is allowed is not stopped: ${what}`, () => {
      assert.deepEqual([...breaksWith(file, source), ...(names[mistakes.length + index] ?? [])], [])
    })
  })
})
