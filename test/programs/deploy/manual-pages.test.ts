import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentConfigSchema } from '../../../agent/config.ts'
import { configSchema } from '../../../server/config.ts'
import { timingSchema } from '../../../shared/protocol/plan.ts'
import { programOrSkip } from '../../skip-aloud.ts'
import { helpOf, programs, type Program } from '../../fixtures/help-text.ts'

const folder = new URL('../../../deploy/man', import.meta.url).pathname
const page = (name: string): string => readFileSync(join(folder, name), 'utf8').replaceAll('\\-', '-')
/** As a word: `config` is not in `--config-id`. */
const names = (text: string, word: string): boolean =>
  new RegExp(`(^|[^\\w-])${word}($|[^\\w-])`, 'm').test(text)

describe('the manual pages', function () {
  this.timeout(60_000)

  for (const program of Object.keys(programs) as Program[])
    it(`name every command and option of ${program} --help`, () => {
      const text = page(`${program}.8`)
      const helps = helpOf(program)
      assert.ok(helps[0]?.options.includes('--version'), 'the help is understood')
      for (const { command, options } of helps) {
        const section =
          command === '' ? text : (text.split(`.SS ${command}`)[1]?.split(/^\.S[SH] /m)[0] ?? null)
        assert.ok(section !== null, `${program}.8 has no section "${command}"`)
        const missing = options.filter((option) => option !== '--help' && !names(section, option))
        assert.deepEqual(missing, [], `${program}.8, ${command || 'the program itself'}`)
      }
    })

  it('name every key of agent.yaml', () => {
    const text = page('agent.yaml.5')
    const keepalived = agentConfigSchema.shape.keepalived.unwrap()
    const keys = [...Object.keys(agentConfigSchema.shape), ...Object.keys(keepalived.shape)]
    assert.ok(keys.includes('stopCommand'))
    assert.deepEqual(
      keys.filter((key) => !names(text, key)),
      [],
    )
  })

  it('name every key of witness.yaml, the durations among them', () => {
    const text = page('witness.yaml.5')
    const keys = [...Object.keys(configSchema.shape), ...Object.keys(timingSchema.shape)]
    assert.deepEqual(
      keys.filter((key) => !names(text, key)),
      [],
    )
  })

  it('are understood by man without a warning', function () {
    const man = programOrSkip(this, 'man')
    for (const name of readdirSync(folder)) {
      const { status, stderr } = spawnSync(
        man,
        ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', join(folder, name)],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      )
      assert.deepEqual([name, status, stderr], [name, 0, ''])
    }
  })
})
