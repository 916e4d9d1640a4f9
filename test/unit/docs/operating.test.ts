import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draftApply } from '../../../agent/commands/setup/conf-draft.ts'
import { agentConfigSchema } from '../../../agent/config.ts'
import { configSchema } from '../../../server/config.ts'
import { situations } from '../../../shared/protocol/view.ts'
import { timingSchema } from '../../../shared/protocol/plan.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { refusalKinds, reportedBy } from './reported-events.ts'

const pages = join(import.meta.dirname, '../../../docs/operating')
const page = (name: string): string => readFileSync(join(pages, name), 'utf8')
const allPages = readdirSync(pages)
  .map((name) => page(name))
  .join('\n')

/** From the heading to the next one of its rank or above. */
function section(name: string, heading: string): string {
  const rank = /^#+/.exec(heading)?.[0].length ?? 0
  const [, after] = page(name).split(`\n${heading}\n`)
  assert.ok(after !== undefined, `${name} has no "${heading}"`)
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
  assert.ok(paragraph !== undefined, `events.md has no paragraph "${beginning}"`)
  return codeIn(paragraph).filter((code) => /^[a-z-]+$/.test(code))
}

/** `drill-…` stands for each name that begins so. */
const isNamedIn = (name: string, documented: readonly string[]): boolean =>
  name.endsWith('…')
    ? documented.some((other) => other.startsWith(name.slice(0, -1)))
    : documented.includes(name)
const isKnown = (name: string, reported: readonly string[]): boolean =>
  reported.some((other) => (other.endsWith('…') ? name.startsWith(other.slice(0, -1)) : other === name))

describe('docs/operating', () => {
  const rooms = [
    { room: 'server', heading: '## Of the witness', log: 'Only in the log of witnessd' },
    { room: 'agent', heading: '## Of an agent', log: "Only in the agent's log" },
  ] as const
  for (const { room, heading, log } of rooms) {
    const reported = reportedBy(room)
    // What an agent tells is handed on under its own name.
    const events = [...reported.events].filter((name) => name !== 'agent.…')
    const named = firstColumn(section('events.md', heading))
    const logged = linesNamed(section('events.md', heading), log)

    it(`has a row for each event of ${room}/, and none for what nobody tells`, () => {
      assert.deepEqual(reported.unread, [], 'an event whose name is not understood')
      assert.ok(events.length > 20)
      assert.deepEqual(
        events.filter((name) => !isNamedIn(name, named)),
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
      const lines = [...reported.lines].filter((name) => !isNamedIn(name, named))
      assert.ok(lines.length > 5)
      assert.deepEqual(
        lines.filter((name) => !isNamedIn(name, logged)),
        [],
        'not named',
      )
      assert.deepEqual(
        logged.filter((name) => !isKnown(name, [...reported.lines])),
        [],
        'logged by nobody',
      )
    })
  }

  it('speaks of no event of an agent that none tells', () => {
    const reported = [...reportedBy('agent').events]
    const spokenOf = codeIn(allPages).filter((code) =>
      /^agent\.(?!(?:yaml|marks|fences)$)[a-z-]+$/.test(code),
    )
    assert.ok(spokenOf.length > 2)
    assert.deepEqual(
      spokenOf.filter((code) => !isKnown(code.replace('agent.', ''), reported)),
      [],
    )
  })

  it('has a row for each kind of refusal, and no other', () => {
    const kinds = [...refusalKinds()].sort()
    assert.ok(kinds.length > 20)
    assert.deepEqual([...new Set(firstColumn(section('events.md', '## Refused messages')))].sort(), kinds)
  })

  it('has a row for each situation', () => {
    const named = firstColumn(section('look.md', '## Situations'))
    assert.deepEqual([...named].sort(), [...situations].sort())
  })

  it('links each situation that is a problem to what to do', () => {
    const rows = rowsOf(section('look.md', '## Situations')).filter(([name = '']) => {
      return !['`normal`', '`starting`'].includes(name)
    })
    const unlinked = rows.filter((cells) => !cells.join('').includes('](what-to-do.md#'))
    assert.deepEqual(unlinked, [])
  })

  it('tells for each symptom what you see, what it means and what to do, in this order', () => {
    const sections = page('what-to-do.md').split(/^## /m).slice(1)
    assert.ok(sections.length > 20)
    const inOrder =
      /^.*\n\n[\s\S]*?\*\*What you see\.\*\*[\s\S]*\*\*What it means(?:\.\*\*[\s\S]*\*\*What to do\.\*\*|, and what to do\.\*\*)/
    assert.deepEqual(
      sections.filter((section) => !inOrder.test(section)).map((section) => section.split('\n')[0]),
      [],
    )
  })

  it('has each section of what-to-do.md in the list of symptoms', () => {
    const list = section('README.md', '## What to do when')
    const linked = [...list.matchAll(/\]\(what-to-do\.md#([^)]+)\)/g)].map(([, anchor]) => anchor)
    const headings = [...page('what-to-do.md').matchAll(/^## (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
    assert.deepEqual([...linked].sort(), headings.sort())
  })

  it('has a row for each key of witness.yaml, and no other', () => {
    const keys = Object.keys(configSchema.shape).filter((key) => key !== 'clusters')
    assert.deepEqual(firstColumn(section('options.md', '## witness.yaml')), [
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
      rowsOf(section('options.md', '## agent.yaml')).flatMap(([name = '']) => codeIn(name)),
      keys,
    )
  })

  it('has each duration with its default', () => {
    const rows = rowsOf(section('options.md', '## Timing')).map(([name = '', given = '']) => [
      codeIn(name)[0],
      given,
    ])
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
    '## witness.yaml': Object.entries(configSchema.parse({})),
    '## agent.yaml': Object.entries(agentConfigSchema.parse(required)).filter(([key]) => !(key in required)),
  }
  for (const [heading, defaults] of Object.entries(files))
    it(`has each default of ${heading.replace('## ', '')} that is a word or a path`, () => {
      const written = new Map(
        rowsOf(section('options.md', heading)).map(([name = '', given = '']) => [
          codeIn(name)[0],
          codeIn(given)[0],
        ]),
      )
      const words = defaults.filter(([, value]) => typeof value === 'string')
      assert.ok(words.length > 2)
      assert.deepEqual(
        words,
        words.map(([key]) => [key, written.get(key)]),
      )
    })

  const folder = temporaryFolder()
  const byHand = [...page('setup.md').matchAll(/^```\n(global_defs[\s\S]*?)^```$/gm)].map(
    ([, conf = '']) => conf,
  )
  it('has two keepalived.conf with the lines to add by hand', () => assert.equal(byHand.length, 2))
  for (const [index, conf] of byHand.entries())
    it(`tells to add by hand what setup adds, in example ${index + 1}`, () => {
      const path = folder('keepalived.conf')
      const before = conf.replace(/^.* # \d\..*\n/gm, '')
      writeFileSync(path, before)
      const runDir = agentConfigSchema.shape.runDir.parse(undefined)
      const checkProgram = '/usr/libexec/keepalived/witness-check'
      const [change] = draftApply({
        path,
        configId: 'lb01',
        runDir,
        checkProgram,
        stateDir: null,
        advised: false,
        tellsPriorities: true,
      }).changes
      const withMarks = change?.to.replace(/^ *# keepalived-witness .*\n/gm, '')
      assert.equal(withMarks, conf.replace(/ +# \d\..*$/gm, ''))
    })
})
