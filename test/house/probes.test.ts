/** Mistakes of every kind against the walls, each of which must be stopped: a wall that nobody ran against is a guess. */
import assert from 'node:assert/strict'
import { ESLint, Linter } from 'eslint'
import tseslint from 'typescript-eslint'
import { z } from 'zod'
import { readSources, root } from './sources.ts'
import { findBreaks } from './walls.ts'

const eslint = new ESLint({ cwd: root })
const linter = new Linter({ configType: 'flat', cwd: root })
const sources = readSources()
const breaksToday = new Set(findBreaks(sources))

const configSchema = z.object({ rules: z.record(z.string(), z.custom<Linter.RuleEntry>()) })

/** What eslint.config.js says about names in this file. Its other rules need types, and have nothing to do with walls. */
async function namesIn(file: string): Promise<Linter.RulesRecord> {
  const { rules } = configSchema.parse(await eslint.calculateConfigForFile(`${root}/${file}`))
  return Object.fromEntries(Object.entries(rules).filter(([rule]) => rule.startsWith('no-restricted-')))
}

/** What speaks when `source` stands at the end of `file`, which need not exist yet. */
async function stoppedBy(file: string, source: string): Promise<readonly string[]> {
  const changed = new Map(sources).set(file, `${sources.get(file) ?? ''}\n${source}\n`)
  const walls = findBreaks(changed).filter((each) => !breaksToday.has(each))
  const languageOptions = { parser: tseslint.parser as Linter.Parser, sourceType: 'module' as const }
  const config = { files: ['**/*.ts'], languageOptions, rules: await namesIn(file) }
  const names = linter.verify(source, config, { filename: `${root}/${file}` })
  return [...walls, ...names.map(({ message }) => message)]
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
  ['two files import each other', 'shared/protocol/names.ts', `import { planSchema } from './plan.ts'`],
]

describe('a mistake against the walls is stopped:', function () {
  // The first one waits until eslint has read the whole project.
  this.timeout(600_000)

  for (const [what, file, source] of mistakes)
    it(what, async () => {
      assert.notDeepEqual(await stoppedBy(file, source), [])
    })

  it('but what shells may do is not', async () => {
    assert.deepEqual(
      await stoppedBy('agent/fence/announcer.ts', 'export const began = performance.now()'),
      [],
    )
    assert.deepEqual(await stoppedBy('agent/agent.ts', `import { decide } from './core/guard/guard.ts'`), [])
  })
})
