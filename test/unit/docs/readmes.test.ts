import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')
const languages = ['README.md', 'README.zh-CN.md'] as const

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
    (line) => /^#{1,6}(?= )/.exec(line)?.[0] ?? (/^\| -+ \|/.test(line) ? [line.replaceAll(/-+/g, '-')] : []),
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
})
