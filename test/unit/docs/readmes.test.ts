import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../../..')
const languages = ['README.md', 'README.zh-CN.md'] as const
const documents = [
  'docs/OPERATING.md',
  'docs/ARCHITECTURE.md',
  'docs/SECURITY.md',
  'docs/FAULTS.md',
  'docs/BENCH.md',
  'CHANGELOG.md',
  'test/sim/README.md',
  'test/lab/README.md',
  'test/hosts/README.md',
] as const

function linesOf(readme: string): readonly string[] {
  return readFileSync(join(root, readme), 'utf8').split('\n')
}

/** What an admin types; remarks are in the reader's language. */
function commandsOf(readme: string): readonly string[] {
  const commands: string[] = []
  let isCommand = false
  for (const line of linesOf(readme)) {
    if (line.startsWith('```')) isCommand = line === '```sh'
    else if (isCommand) commands.push(line.replace(/\s+#.*/, ''))
  }
  return commands
}

function shapeOf(readme: string): readonly string[] {
  return linesOf(readme).flatMap(
    (line) => /^#{1,6}(?= )/.exec(line)?.[0] ?? (line.startsWith('| --- ') ? [line] : []),
  )
}

describe('the READMEs', () => {
  it('tell to type the same in both languages', () => {
    const [english, chinese] = languages.map(commandsOf)
    assert.ok((english?.length ?? 0) > 15)
    assert.deepEqual(chinese, english)
  })

  it('have the same sections and tables in both languages', () => {
    const [english, chinese] = languages.map(shapeOf)
    assert.ok((english?.length ?? 0) > 8)
    assert.deepEqual(chinese, english)
  })

  it('name the same files, options and documents in both languages', () => {
    const [english, chinese] = languages.map((readme) => {
      const text = linesOf(readme)
        .join('\n')
        .replace(/```.*?```/gs, '')
      const named = [...text.matchAll(/`[^`\n]+`|\]\([^)]+\)/g)].map(([name]) => name)
      return new Set(named.filter((name) => !languages.some((other) => name === `](${other})`)))
    })
    assert.ok((english?.size ?? 0) > 30)
    assert.deepEqual(chinese, english)
  })

  for (const document of [...languages, ...documents])
    it(`link from ${document} only to what is there`, () => {
      const text = readFileSync(join(root, document), 'utf8')
      const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '')
      const missing = targets.filter((target) => !existsSync(join(root, dirname(document), target)))
      assert.deepEqual(missing, [])
    })

  for (const document of [...languages, ...documents])
    it(`link from ${document} only to headings that are there`, () => {
      const text = readFileSync(join(root, document), 'utf8')
      const links = [...text.matchAll(/\]\(([^)#\s:]*)#([^)]+)\)/g)]
      const lost = links.filter(([, target = '', anchor = '']) => {
        const file = target === '' ? document : join(dirname(document), target)
        return !anchorsOf(file).has(anchor)
      })
      assert.deepEqual(
        lost.map(([link]) => link),
        [],
      )
    })
})

/** As GitHub makes them: small letters, no marks, a hyphen for each space. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = linesOf(file).filter((line) => /^#{1,6} /.test(line))
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
