/** docs/reference/messages.md is written by hand; here it is compared with the schemas, field by field and word by word. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { fromAgentSchema, fromVoterSchema, replySchema } from '../../../shared/protocol/messages.ts'
import { planSchema, profileSchema } from '../../../shared/protocol/plan.ts'
import { report } from '../../../shared/protocol/report.ts'

const text = readFileSync(join(import.meta.dirname, '../../../docs/reference/messages.md'), 'utf8')

interface Shape {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
}

/** The parts of messages that have a table of their own. */
const parts: Readonly<Record<string, z.ZodType>> = {
  profile: profileSchema,
  report,
  verdict: replySchema,
  'content of a plan': planSchema,
}
const fieldsOfParts = new Set(['profiles', 'reports', 'verdicts', 'plan'])

const shapeOf = (schema: z.ZodType): Shape =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape
const optionsOf = (shape: Shape): readonly Shape[] => shape.anyOf ?? shape.oneOf ?? [shape]

/** Each field by its path, `a.b` within an object and `a[].b` within a list, with the words that it may be. */
function fieldsOf(shape: Shape, path = ''): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, readonly string[]>()
  const add = (name: string, words: readonly string[]): void => {
    fields.set(name, [...new Set([...(fields.get(name) ?? []), ...words])])
  }
  for (const option of optionsOf(shape))
    for (const [name, field] of Object.entries(option.properties ?? {})) {
      const here = `${path}${name}`
      const isPart = path === '' && fieldsOfParts.has(name)
      const isList = field.items !== undefined
      const inner = isPart ? new Map() : fieldsOf(field.items ?? field, isList ? `${here}[].` : `${here}.`)
      const isOptional = option.required?.includes(name) !== true
      const isNullable = optionsOf(field).some(({ type }) => type === 'null')
      // A field that is an object always is named by its own fields.
      if (inner.size === 0 || isOptional || isNullable) add(here, wordsOf(field))
      for (const [deeper, words] of inner as ReadonlyMap<string, readonly string[]>) add(deeper, words)
    }
  return fields
}

function wordsOf(field: Shape): readonly string[] {
  return optionsOf(field).flatMap((option) =>
    [...(option.enum ?? []), ...('const' in option ? [option.const] : [])].map(String),
  )
}

/** Path and words of each row of the first table below the heading. */
function rowsBelow(heading: string): ReadonlyMap<string, readonly string[]> {
  const section = text.split(`\n### ${heading}\n`)[1]?.split(/\n##+ /)[0]
  assert.ok(section !== undefined, `messages.md has no "### ${heading}"`)
  const table = section.split('\n\n').find((paragraph) => paragraph.startsWith('| field '))
  assert.ok(table !== undefined, `"### ${heading}" has no table of fields`)
  return new Map(
    table
      .split('\n')
      .filter((row) => row.startsWith('| `'))
      .map((row) => {
        const [, field = '', type = ''] = row.split('|')
        return [
          field.trim().replaceAll('`', ''),
          [...type.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word),
        ]
      }),
  )
}

const sorted = (fields: ReadonlyMap<string, readonly string[]>): unknown =>
  [...fields].map(([name, words]) => [name, [...words].sort()]).sort()

describe('docs/reference/messages.md', () => {
  for (const [side, schema] of Object.entries({ fromAgentSchema, fromVoterSchema }))
    it(`has each message of ${side} with its fields and their words, and no other`, () => {
      const messages = schema.options
      assert.ok(messages.length > 3)
      for (const message of messages) {
        const fields = fieldsOf(shapeOf(message))
        const [type = ''] = fields.get('type') ?? []
        assert.deepEqual(sorted(rowsBelow(type)), sorted(fields), type)
      }
    })

  for (const [name, schema] of Object.entries(parts))
    it(`has each field of ${name}, and no other`, () => {
      assert.deepEqual(sorted(rowsBelow(name)), sorted(fieldsOf(shapeOf(schema))))
    })

  it('explains each reason of a refusal and each order', () => {
    const explained = [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, word = '']) => word)
    const order = fromVoterSchema.options.find(({ shape }) => shape.type.value === 'order')
    assert.ok(order !== undefined)
    const words = [
      ...(fieldsOf(shapeOf(replySchema)).get('vote.reason') ?? []),
      ...(fieldsOf(shapeOf(order)).get('what') ?? []),
    ]
    assert.ok(words.length > 10)
    assert.deepEqual(
      words.filter((word) => !explained.includes(word)),
      [],
    )
  })

  it('has each request that a node sends, with its fields', () => {
    const requests = text.split('\n## HTTP requests of a node\n')[1] ?? ''
    const sources = [
      ['server/api/http.ts', 'checkQuery', 'GET /api/v1/check'],
      ['server/api/join.ts', 'joinBody', 'POST /api/v1/join'],
      ['server/api/join.ts', 'renewBody', 'POST /api/v1/renew'],
    ] as const
    for (const [file, schema, request] of sources) {
      const source = readFileSync(join(import.meta.dirname, '../../..', file), 'utf8')
      const body = new RegExp(`const ${schema} = z\\.strictObject\\(\\{([^}]*)\\}`).exec(source)?.[1] ?? ''
      const own = [...body.matchAll(/(?:^|,)\s*(?:\/\*\*.*?\*\/\s*)?([a-z]+)(?=:|,|\s*$)/gims)].map(
        ([, name]) => name,
      )
      const names = body.includes('...nodeKey.shape') ? ['cluster', 'node', ...own] : own
      const row = requests.split('\n').find((line) => line.startsWith(`| \`${request}`))
      assert.ok(row !== undefined, request)
      assert.ok(names.length > 0, schema)
      assert.deepEqual(
        names.filter((name) => !row.includes(`\`${name ?? ''}\``)),
        [],
        request,
      )
    }
  })
})
