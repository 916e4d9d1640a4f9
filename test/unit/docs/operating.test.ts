import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentConfigSchema } from '../../../agent/config.ts'
import { configSchema } from '../../../server/config.ts'
import { situations } from '../../../shared/protocol/view.ts'
import { timingSchema } from '../../../shared/protocol/plan.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { refusalKinds, toldBy } from './told-events.ts'

const text = readFileSync(join(import.meta.dirname, '../../../docs/OPERATING.md'), 'utf8')

/** From the heading to the next one of its rank or above. */
function section(heading: string): string {
  const rank = /^#+/.exec(heading)?.[0].length ?? 0
  const [, after] = text.split(`\n${heading}\n`)
  assert.ok(after !== undefined, `OPERATING.md has no "${heading}"`)
  return after.split(new RegExp(`^#{1,${rank}} `, 'm'))[0] ?? ''
}

const codeIn = (part: string): readonly string[] =>
  [...part.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '')

/** The cells of a table whose rows begin with `code`. */
function rowsOf(part: string): readonly (readonly string[])[] {
  return part
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const firstColumn = (part: string): readonly string[] => rowsOf(part).flatMap(([first = '']) => codeIn(first))

/** What a paragraph that begins so names, each with a word of its own. */
function linesNamed(part: string, beginning: string): readonly string[] {
  const paragraph = part.split('\n\n').find((paragraph) => paragraph.trim().startsWith(beginning))
  assert.ok(paragraph !== undefined, `OPERATING.md has no paragraph "${beginning}"`)
  return codeIn(paragraph).filter((code) => /^[a-z-]+$/.test(code))
}

/** `drill-…` stands for each name that begins so. */
const isToldOf = (name: string, documented: readonly string[]): boolean =>
  name.endsWith('…')
    ? documented.some((other) => other.startsWith(name.slice(0, -1)))
    : documented.includes(name)
const isKnown = (name: string, told: readonly string[]): boolean =>
  told.some((other) => (other.endsWith('…') ? name.startsWith(other.slice(0, -1)) : other === name))

describe('OPERATING.md', () => {
  const rooms = [
    { room: 'server', heading: '### Of the witness', log: "Only in witnessd's log" },
    { room: 'agent', heading: '### Of an agent', log: "Only in the agent's log" },
  ] as const
  for (const { room, heading, log } of rooms) {
    const told = toldBy(room)
    // What an agent tells is handed on under its own name.
    const events = [...told.events].filter((name) => name !== 'agent.…')
    const named = firstColumn(section(heading))
    const logged = linesNamed(section(heading), log)

    it(`has a row for each event of ${room}/, and none for what nobody tells`, () => {
      assert.deepEqual(told.unread, [], 'an event whose name is not understood')
      assert.ok(events.length > 20)
      assert.deepEqual(
        events.filter((name) => !isToldOf(name, named)),
        [],
        'not in the table',
      )
      assert.deepEqual(
        named.filter((name) => !isKnown(name, events)),
        [],
        'told by nobody',
      )
    })

    it(`names each line that stands in the log of ${room}/ alone`, () => {
      const lines = [...told.lines].filter((name) => !isToldOf(name, named))
      assert.ok(lines.length > 5)
      assert.deepEqual(
        lines.filter((name) => !isToldOf(name, logged)),
        [],
        'not named',
      )
      assert.deepEqual(
        logged.filter((name) => !isKnown(name, [...told.lines])),
        [],
        'logged by nobody',
      )
    })
  }

  it('speaks of no event of an agent that none tells', () => {
    const told = [...toldBy('agent').events]
    const spokenOf = codeIn(text).filter((code) => /^agent\.(?!(?:yaml|marks|fences)$)[a-z-]+$/.test(code))
    assert.ok(spokenOf.length > 2)
    assert.deepEqual(
      spokenOf.filter((code) => !isKnown(code.replace('agent.', ''), told)),
      [],
    )
  })

  it('has a row for each kind of refusal, and no other', () => {
    const kinds = [...refusalKinds()].sort()
    assert.ok(kinds.length > 20)
    assert.deepEqual([...new Set(firstColumn(section('### Refused messages')))].sort(), kinds)
  })

  it('has a row for each situation', () => {
    const named = firstColumn(section('## 1. Look')).filter((name) => /^[a-z-]+$/.test(name))
    assert.deepEqual(
      situations.filter((name) => !named.includes(name)),
      [],
    )
  })

  it('has a row for each key of witness.yaml, and no other', () => {
    const keys = Object.keys(configSchema.shape).filter((key) => key !== 'clusters')
    assert.deepEqual(firstColumn(section('### witness.yaml')), [
      ...keys,
      'clusters.NAME.gate',
      'clusters.NAME.timing.*',
    ])
  })

  it('has a row for each key of agent.yaml, and no other', () => {
    const { keepalived, ...own } = agentConfigSchema.shape
    const keys = [
      ...Object.keys(own),
      ...Object.keys(keepalived.unwrap().shape).map((key) => `keepalived.${key}`),
    ]
    assert.deepEqual(
      rowsOf(section('### agent.yaml')).flatMap(([name = '']) => codeIn(name)),
      keys,
    )
  })

  it('has each duration with its default', () => {
    const rows = rowsOf(section('## 7. Timing')).map(([name = '', given = '']) => [codeIn(name)[0], given])
    const { gate, ...durations } = defaultTiming
    assert.equal(gate, 'open')
    assert.deepEqual(Object.keys(timingSchema.shape).sort(), [...Object.keys(durations), 'gate'].sort())
    assert.deepEqual(
      Object.fromEntries(rows.map(([name, given = '']) => [name, /^\d+/.exec(given)?.[0]])),
      Object.fromEntries(Object.entries(durations).map(([name, ms]) => [name, `${ms}`])),
    )
  })

  const required = { cluster: 'web', node: 'lb01', witness: 'https://10.0.0.20:7400' }
  const files = {
    '### witness.yaml': Object.entries(configSchema.parse({})),
    '### agent.yaml': Object.entries(agentConfigSchema.parse(required)).filter(([key]) => !(key in required)),
  }
  for (const [heading, defaults] of Object.entries(files))
    it(`has each default of ${heading.replace('### ', '')} that is a word or a path`, () => {
      const written = new Map(
        rowsOf(section(heading)).map(([name = '', given = '']) => [codeIn(name)[0], codeIn(given)[0]]),
      )
      const words = defaults.filter(([, value]) => typeof value === 'string')
      assert.ok(words.length > 2)
      assert.deepEqual(
        words,
        words.map(([key]) => [key, written.get(key)]),
      )
    })
})
