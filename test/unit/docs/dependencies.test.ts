/** docs/dependencies.md says why each package is here: it must not fall behind package.json. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const root = join(import.meta.dirname, '../../..')
const text = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')

const versions = z.record(z.string(), z.string())
const manifest = z
  .object({ dependencies: versions, devDependencies: versions })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))

/** The rows below a heading, each as its cells. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, after] = text.split(`\n## ${heading}\n`)
  assert.ok(after !== undefined, `docs/dependencies.md has no "## ${heading}"`)
  return (after.split(/^## /m)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

describe('docs/dependencies.md', () => {
  const tables = [
    { heading: 'Runtime', packages: manifest.dependencies },
    { heading: 'Development', packages: manifest.devDependencies },
  ]
  for (const { heading, packages } of tables) {
    const rows = rowsBelow(heading)

    it(`has one row for each package of "${heading}", in order, and no row is left over`, () => {
      assert.deepEqual(
        rows.map(([name = '']) => name.replaceAll('`', '')),
        Object.keys(packages).sort(),
      )
    })

    it(`says of each package of "${heading}" why it is here and what could replace it`, () => {
      for (const [name, ...cells] of rows) assert.ok(!cells.includes(''), name)
    })
  }

  it('is right that versions are exact', () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    )
    assert.deepEqual(loose, [])
  })
})
