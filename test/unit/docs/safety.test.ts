/** docs/safety.md names what judges each property and what shows that the judge has teeth. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultTiming, reserveNeededMs, silenceMs, strictReserveMs } from '../../../shared/core/timing.ts'
import { scenarios as hostsScenarios } from '../../hosts/scenarios.ts'
import { scenarios as labScenarios } from '../../lab/scenarios/index.ts'
import { catalogue } from '../../sim/mutants/catalogue.ts'

const root = join(import.meta.dirname, '../../..')
const text = readFileSync(join(root, 'docs/safety.md'), 'utf8')

/** The words in backquotes of all paragraphs that begin so. */
function named(beginning: string): readonly string[] {
  const paragraphs = text.split('\n\n').map((paragraph) => paragraph.replaceAll('\n', ' '))
  return paragraphs
    .flatMap((paragraph) => paragraph.split(beginning).slice(1))
    .flatMap((after) =>
      [...(after.split(' **')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word),
    )
}

describe('docs/safety.md', () => {
  it('names each planted mistake in the list of a property, and no other', () => {
    const names = [
      ...named('**Planted mistakes.**'),
      ...named('Planted mistakes:'),
      ...named('Planted mistake:'),
    ]
    const known = catalogue.map(({ name }) => name)
    const scenarioWords = new Set(labScenarios.map(({ name }) => name))
    assert.deepEqual([...new Set(names.filter((name) => !scenarioWords.has(name)))].sort(), [...known].sort())
  })

  it('has a statement for each property that the judges know', () => {
    const judges = readdirSync(join(root, 'test/invariants')).map((file) =>
      readFileSync(join(root, 'test/invariants', file), 'utf8'),
    )
    const judged = new Set(
      judges.flatMap((code) => [...code.matchAll(/#violate\(\s*'(\w+)'/g)].map(([, name]) => name)),
    )
    assert.ok(judged.size > 8)
    for (const name of judged)
      assert.match(
        text,
        new RegExp(`(?:^### ${name ?? ''}[: ])|(?:^- \\*\\*${name ?? ''}\\.\\*\\*)`, 'm'),
        name,
      )
  })

  it('names only scenarios that there are', () => {
    const known = [...labScenarios, ...hostsScenarios].map(({ name }) => name)
    const isKnown = (name: string): boolean =>
      known.some((scenario) => scenario === name || scenario.startsWith(`${name}/`))
    const names = [...named(' Lab:'), ...named(' Hosts:')].filter((name) => /^[a-z/-]+$/.test(name))
    assert.ok(names.length > 30)
    assert.deepEqual(
      names.filter((name) => !isKnown(name)),
      [],
    )
  })

  it('has the default numbers of the inequalities', () => {
    const { renewMs, leaseMs, reserveMs, releaseMs, grainMs, checkMs, driftPpm } = defaultTiming
    const needed = reserveNeededMs(leaseMs, driftPpm)
    const strictNeeded = reserveNeededMs(leaseMs - releaseMs - grainMs + checkMs + 800, driftPpm)
    for (const numbers of [
      `${reserveMs} ≥ ${needed}`,
      `${strictReserveMs} ≥ ${strictNeeded}`,
      `${silenceMs(defaultTiming)} ≤ ${leaseMs - releaseMs - grainMs - 200}`,
      `${2 * renewMs + checkMs + 100} ≤ ${reserveMs}`,
    ])
      assert.ok(text.includes(numbers), numbers)
  })
})
