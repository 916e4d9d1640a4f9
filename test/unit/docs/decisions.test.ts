import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { guardPhases } from '../../../shared/protocol/report.ts'

const root = join(import.meta.dirname, '../../..')
const folder = 'docs/decisions'
const index = `${folder}/README.md`
const longestLines = 40

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Decision {
  readonly file: string
  readonly lines: readonly string[]
}

const names = readdirSync(join(root, folder)).filter((name) => name !== 'README.md')
const decisions: readonly Decision[] = names
  .sort()
  .map((file) => ({ file, lines: read(`${folder}/${file}`).trimEnd().split('\n') }))

const numberOf = ({ file }: Decision): string => file.slice(0, 4)

const sectionOf = ({ lines }: Decision, heading: string): readonly string[] => {
  const from = lines.indexOf(`## ${heading}`)
  if (from < 0) return []
  const length = lines.slice(from + 1).findIndex((line) => line.startsWith('## '))
  return lines.slice(from + 1, length < 0 ? undefined : from + 1 + length).filter((line) => line !== '')
}

const link = String.raw`\[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\)`
const status = new RegExp(
  `^Status: (accepted|replaced by ${link}|accepted, amended by ${link}( and ${link})*)$`,
)

const bullet = /^- `([^`]+)`( \(.+\))?$/

describe('the decisions', () => {
  it('are numbered from 0001 without a hole, and each number is used once', () => {
    assert.ok(decisions.length >= 56)
    assert.deepEqual(
      decisions.map(numberOf),
      decisions.map((_, at) => String(at + 1).padStart(4, '0')),
    )
  })

  for (const decision of decisions) {
    const { file, lines } = decision

    describe(file, () => {
      it('has the form of a decision', () => {
        assert.match(file, /^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md$/)
        assert.match(lines[0] ?? '', new RegExp(`^# ${numberOf(decision)}\\. \\S.*[^.]$`))
        assert.equal(lines[1], '')
        assert.match(lines[2] ?? '', status)
        assert.ok(lines.length <= longestLines, `${lines.length} lines`)
        const headings = lines.filter((line) => line.startsWith('#')).slice(1)
        const all = ['## Question', '## Decision', '## Alternatives', '## Cost', '## Code']
        const optional = new Set(['## Alternatives', '## Cost'])
        assert.deepEqual(
          headings,
          all.filter((heading) => !optional.has(heading) || headings.includes(heading)),
        )
        for (const heading of headings)
          assert.notEqual(sectionOf(decision, heading.slice(3)).length, 0, heading)
      })

      it('names under "Code" only what is there', () => {
        const paths = sectionOf(decision, 'Code').map(
          (line) => bullet.exec(line)?.[1] ?? `not a path: ${line}`,
        )
        assert.deepEqual(
          paths.filter((path) => !existsSync(join(root, path))),
          [],
        )
      })

      it('is in the index once, with the same title and status', () => {
        const title = lines[0]?.replace(/^# \d{4}\. /, '') ?? ''
        const said = lines[2]?.replace('Status: ', '') ?? ''
        const rows = read(index)
          .split('\n')
          .filter((line) => line.startsWith(`| [${numberOf(decision)}]`))
        assert.deepEqual(rows, [`| [${numberOf(decision)}](${file}) | ${title} | ${said} |`])
      })
    })
  }

  const linking = [...decisions.map(({ file }) => `${folder}/${file}`), index, 'docs/glossary.md']

  it('are linked by numbers that fit their files', () => {
    const wrong = linking.flatMap((path) =>
      [...read(path).matchAll(/\[(\d{4})\]\(([^)]+)\)/g)]
        .filter(([, number = '', target = '']) => !(target.split('/').at(-1) ?? '').startsWith(`${number}-`))
        .map(([text]) => `${path}: ${text}`),
    )
    assert.deepEqual(wrong, [])
  })

  it('and the glossary link only to what is there', () => {
    const lost = linking.flatMap((path) =>
      [...read(path).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    )
    assert.deepEqual(lost, [])
  })

  it('and the glossary name only files and folders that are there', () => {
    const named = linking.flatMap((path) =>
      [...read(path).matchAll(/`((?:agent|server|shared|test|deploy)\/[^\s`]*)`/g)].map(
        ([, name = '']) => name,
      ),
    )
    assert.ok(named.length > 200)
    assert.deepEqual(
      named.filter((name) => !existsSync(join(root, name))),
      [],
    )
  })
})

describe('the glossary', () => {
  const rows = read('docs/glossary.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| --- ') && !line.startsWith('| word |'))

  it('has a word, a meaning and more in each row', () => {
    const short = rows.filter((row) => row.split(' | ').filter((cell) => cell.trim() !== '').length < 3)
    assert.deepEqual(short, [])
  })

  it('has each phase of a guard', () => {
    const words = rows.map((row) => /^\| `?([^`|]+?)`? \|/.exec(row)?.[1])
    assert.deepEqual(
      guardPhases.filter((phase) => !words.includes(phase)),
      [],
    )
  })
})
