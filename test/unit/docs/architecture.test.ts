import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const map = read('docs/ARCHITECTURE.md')
  .split('\n## 1. The map\n')[1]
  ?.split('\n### Who may import what\n')[0]

interface Row {
  /** Below the room; those that follow one in a folder are in that folder, too. */
  readonly files: readonly string[]
  readonly isPure: boolean
}

function rowsOf(room: string): readonly Row[] {
  const part = map?.split(`### ${room}/\n`)[1]?.split('\n### ')[0] ?? ''
  return part
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, cell = ''] = line.split('|')
      let folder = ''
      const files = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => {
        if (!name.includes('/')) return `${folder}${name}`
        folder = name.slice(0, name.lastIndexOf('/') + 1)
        return name
      })
      return { files, isPure: line.includes('**Pure**') }
    })
}

const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(join(root, folder).length + 1))

describe('the map of ARCHITECTURE.md', () => {
  const rooms = ['shared', 'server', 'agent'] as const

  for (const room of rooms)
    it(`has each file of ${room}/ once, and none that is not there`, () => {
      assert.deepEqual(
        rowsOf(room)
          .flatMap(({ files }) => files)
          .sort(),
        [...filesIn(room)].sort(),
      )
    })

  it('has each folder and file of test/', () => {
    const part = map?.split('### test/ and deploy/\n')[1] ?? ''
    const named = [...part.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name.replace(/\/$/, ''))
    const missing = readdirSync(join(root, 'test')).filter((name) => !named.includes(name))
    assert.deepEqual(missing, [])
  })

  it('calls those files pure that eslint keeps pure', () => {
    const [, list = ''] = /const pureFiles = \[([^\]]*)\]/.exec(read('eslint.config.js')) ?? []
    const kept = [...list.matchAll(/'([^']+)'/g)].map(([, file = '']) => file)
    const called = rooms.flatMap((room) =>
      rowsOf(room)
        .filter(({ isPure }) => isPure)
        .flatMap(({ files }) => files.map((file) => `${room}/${file}`)),
    )
    assert.ok(kept.length > 30)
    assert.deepEqual(called.sort(), kept.sort())
  })
})
