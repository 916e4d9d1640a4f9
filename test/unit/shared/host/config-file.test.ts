import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError, loadConfig, parseConfig } from '../../../../shared/host/config-file.ts'

const schema = z.strictObject({
  cluster: z.string(),
  port: z.number().int().min(1).max(65_535).default(7400),
  mode: z.enum(['enforce', 'observe']).default('enforce'),
  keepalived: z.strictObject({ stopCommand: z.array(z.string()).min(1).optional() }).prefault({}),
  nodes: z
    .record(z.string().regex(/^[a-z]+$/, 'small letters only'), z.strictObject({ address: z.string() }))
    .default({}),
})

function mistakes(text: string): readonly string[] {
  try {
    parseConfig({ path: 'agent.yaml', text, schema })
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.equal(error.message, error.lines.join('\n'))
    return error.lines
  }
  return []
}

describe('config-file', () => {
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'config-file-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  it('hands over the parsed value with defaults', () => {
    const path = join(folder, 'agent.yaml')
    writeFileSync(path, '# a comment\ncluster: web\n')
    assert.deepEqual(loadConfig(path, schema), {
      cluster: 'web',
      port: 7400,
      mode: 'enforce',
      keepalived: {},
      nodes: {},
    })
  })

  it('says where an unknown option stands and which one was meant', () => {
    assert.deepEqual(mistakes('cluster: web\nkeepalived:\n  stopComand: [a]\n'), [
      'agent.yaml:3:3: keepalived.stopComand: unknown option; did you mean stopCommand?',
    ])
  })

  it('lists the known options when none is near', () => {
    assert.deepEqual(mistakes('cluster: web\nkeepalived:\n  zzz: 1\n'), [
      'agent.yaml:3:3: keepalived.zzz: unknown option; known here: stopCommand',
    ])
  })

  it('lists every mistake, in the order of the file', () => {
    assert.deepEqual(mistakes('port: 70000\nmode: watch\nnodes:\n  lb:\n    address: 5\nkeepalived:\n'), [
      'agent.yaml:1:1: cluster: missing, but a text is expected; add it',
      'agent.yaml:1:7: port: 70000 is too big; it must be at most 65535',
      'agent.yaml:2:7: mode: "watch" is not one of enforce, observe',
      'agent.yaml:5:14: nodes.lb.address: 5 is not a text',
      'agent.yaml:6:12: keepalived: empty, but a map of options is expected; fill it in, or remove it',
    ])
  })

  it('points at the entry that lacks an option', () => {
    assert.deepEqual(mistakes('cluster: web\nnodes:\n  lb: {}\n'), [
      'agent.yaml:3:7: nodes.lb.address: missing, but a text is expected; add it',
    ])
  })

  it('points at a name that cannot stand there', () => {
    assert.deepEqual(mistakes('cluster: web\nnodes:\n  LB: { address: a }\n'), [
      'agent.yaml:3:3: nodes.LB: this name is not valid here: small letters only',
    ])
  })

  it('says where YAML itself is broken', () => {
    assert.deepEqual(mistakes('cluster: a\ncluster: b\n'), [
      'agent.yaml:2:1: not YAML: map keys must be unique',
    ])
    assert.match(mistakes('cluster: [a\n')[0] ?? '', /^agent\.yaml:2:1: not YAML: /)
    assert.match(mistakes('cluster: *nowhere\n')[0] ?? '', /^agent\.yaml:1:10: not YAML: .*nowhere/)
  })

  it('refuses a file that is no map', () => {
    assert.deepEqual(mistakes('- a\n'), ['agent.yaml:1:1: ["a"] is not a map of options'])
  })

  it('says of a missing file what to do', () => {
    const path = join(folder, 'none.yaml')
    assert.throws(() => loadConfig(path, schema), {
      name: 'Error',
      code: 'config',
      message: `${path}: there is no such file; create it (docs/operating/options.md lists the options), or name another one with --config`,
    })
  })

  it('says of a folder that it is one', () => {
    assert.throws(() => loadConfig(folder, schema), /this is a folder; name the file in it/)
  })
})
