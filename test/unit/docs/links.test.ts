/**
 * Every document points to what is there: relative links with their anchors, repository paths in backquotes, and the
 * documents that sources and packaging name.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** What git ignores, and git itself. */
const made = new Set(['.git', 'node_modules', 'dist', 'coverage', '.stryker-tmp'])

/** All files below a folder of the repository, from its root. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !made.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(path) : [path]
    })
}

const everyFile = filesBelow('.')

const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const withoutCodeBlocks = (markdown: string): string =>
  markdown.replaceAll(/^([ \t]*)(```+|~~~+)[^\n]*\n(?:[\s\S]*?\n)??\1\2[ \t]*$/gm, '')

interface Link {
  readonly text: string
  /** From the root; empty: the document itself. */
  readonly file: string
  readonly anchor: string
}

function linksIn(document: string): readonly Link[] {
  const text = withoutCodeBlocks(read(document)).replaceAll(/`[^`\n]+`/g, (code) =>
    code.replaceAll(/[[\]()]/g, ' '),
  )
  const targets = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g),
    ...text.matchAll(/^\[[^\]]+\]:\s+<?([^\s>]+)>?/gm),
  ].map(([, target = '']) => target)
  return targets
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#')
      return { text: target, file: path === '' ? document : join(dirname(document), decodeURI(path)), anchor }
    })
}

/** As GitHub makes them: small letters, no marks, a hyphen for each space, a number for a heading that is there before. */
function anchorsOf(document: string): ReadonlySet<string> {
  const text = withoutCodeBlocks(read(document))
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name))
  const seen = new Map<string, number>()
  for (const [, heading = ''] of text.matchAll(/^#{1,6} +(.+?)[ #]*$/gm)) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    anchors.add(times === 0 ? slug : `${slug}-${times}`)
  }
  return anchors
}

const places = ['agent', 'server', 'shared', 'test', 'docs', 'deploy'] as const
const repositoryPath = new RegExp(`^(?:${places.join('|')})/[\\w.*@/-]*$`)

function pathsIn(document: string): readonly string[] {
  const text = withoutCodeBlocks(read(document))
  return [...text.matchAll(/`([^`\n]+)`/g)]
    .map(([, code = '']) => code.replace(/(?::\d+)+$/, ''))
    .filter((code) => repositoryPath.test(code))
}

function isThere(path: string): boolean {
  // `NAME` and `NNNN` stand for any.
  const pattern = path.replaceAll(/\b(?:NAME|NNNN)\b/g, '*').replace(/\/$/, '')
  if (!pattern.includes('*')) return existsSync(join(root, pattern))
  const anything = { '*': '[^/]*', '**': '.*' } as const
  const source = pattern
    .split(/(\*\*?)/)
    .map((part) => (part === '*' || part === '**' ? anything[part] : part.replaceAll('.', '\\.')))
    .join('')
  const like = new RegExp(`^${source}(?:/|$)`)
  return everyFile.some((file) => like.test(file))
}

describe('the documents', () => {
  const documents = everyFile.filter((file) => extname(file) === '.md')

  it('are all read here', () => {
    assert.ok(documents.length > 8)
    assert.ok(documents.includes('README.md'))
  })

  for (const document of documents) {
    it(`link from ${document} only to files that are there`, () => {
      const lost = linksIn(document).filter(({ file }) => !existsSync(join(root, file)))
      assert.deepEqual(
        lost.map(({ text }) => text),
        [],
      )
    })

    it(`link from ${document} only to headings that are there`, () => {
      const lost = linksIn(document).filter(
        ({ file, anchor }) =>
          anchor !== '' &&
          extname(file) === '.md' &&
          existsSync(join(root, file)) &&
          !anchorsOf(file).has(anchor),
      )
      assert.deepEqual(
        lost.map(({ text }) => text),
        [],
      )
    })

    it(`name in ${document} only paths of the repository that are there`, () => {
      assert.deepEqual(
        pathsIn(document).filter((path) => !isThere(path)),
        [],
      )
    })
  }

  it('are there wherever a source names one', () => {
    const sources = everyFile.filter((file) =>
      /^(agent|server|shared|test|deploy|\.ci|\.github)\/|^[^/]+\.m?js$/.test(file),
    )
    const lost = sources
      .filter((file) => extname(file) !== '.md' && extname(file) !== '.json')
      .flatMap((file) =>
        [...read(file).matchAll(/(?<![\w./])docs\/[\w./-]*\.md\b/g)]
          .map(([name]) => name)
          .filter((name) => !existsSync(join(root, name)))
          .map((name) => `${file}: ${name}`),
      )
    assert.deepEqual(lost, [])
  })

  it('has no marks of a merge that was not finished, as they are or as the formatter makes quotes of them', () => {
    const marks = /^(?:<{7} |={7}$|>{7} |(?:> ){6,})/m
    assert.deepEqual(
      documents.filter((file) => marks.test(read(file))),
      [],
    )
  })
})
