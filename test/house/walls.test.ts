import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { wings } from './rooms.ts'
import { readSources, root } from './sources.ts'
import { findForbiddenSyntax } from './syntax.ts'
import { emptyRooms, findBreaks } from './walls.ts'

describe('the walls of the house', () => {
  const sources = readSources()

  it('hold', () => {
    assert.ok(sources.size > 100)
    assert.deepEqual(findBreaks(sources), [])
  })

  it('have no room that stands empty', () => {
    assert.deepEqual(emptyRooms(sources), [])
  })
})

describe('syntax that has no place in a file', () => {
  it('stands in none', () => {
    const sources = readSources([...wings, 'test'])
    assert.deepEqual(
      [...sources].flatMap(([file, source]) => findForbiddenSyntax(file, source)),
      [],
    )
  })
})

describe('the unit suites', () => {
  /** Starts a program, or listens on a socket. */
  const slow = /from 'node:(child_process|cluster|http|https|net|tls|dgram|worker_threads)'/

  function read(folder: string): readonly (readonly [name: string, source: string])[] {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(join(root, folder, name), 'utf8')])
  }

  it('start no program and open no socket: those that do are in test/programs', () => {
    const slowFixtures = read('test/fixtures').filter(([, source]) => slow.test(source))
    assert.ok(slowFixtures.length > 0)
    const wrong = read('test/unit').filter(
      ([, source]) =>
        slow.test(source) || slowFixtures.some(([fixture]) => source.includes(`/fixtures/${fixture}'`)),
    )
    assert.deepEqual(
      wrong.map(([name]) => name),
      [],
    )
  })
})
