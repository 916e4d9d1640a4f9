/** What every refused configuration has to tell its user. */
import assert from 'node:assert/strict'
import { ConfigError } from '../../../shared/host/config-file.ts'

/** Words of YAML (https://yaml.org/spec/1.2.2) that a careless or a malicious hand may write. */
export const yamlSnippets = [
  ...[
    'null',
    '~',
    'true',
    '-1',
    '0',
    '1e999',
    '0x10',
    '.nan',
    '99999999999999999999',
    '2026-11-21',
    '""',
    "''",
  ],
  ...[
    '{}',
    '[]',
    '[',
    ']',
    '{',
    '}',
    '- a',
    '- ',
    ': ',
    '\t',
    '\n',
    '\r\n',
    '#',
    '|',
    '>-',
    '"',
    "'",
    '---',
    '...',
    '%YAML 1.2',
  ],
  ...[
    '&a',
    '*a',
    '&a [*a]',
    '<<: *a',
    '<<: {port: 1}',
    '!!binary x',
    '!!set {a}',
    '!x y',
    '? [a]\n: b',
    '? {a: b}',
    '? ',
  ],
  ...['__proto__', '__proto__: {a: 1}', 'constructor: 1', 'toString: x', 'witness', 'lb01', '\0', '\ud800'],
  ...['&a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]'],
]

/** Runs it. @throws AssertionError where it ends in anything but success or a ConfigError that names its place */
export function assertTellsItsMistakes(text: string, path: string, run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    assert.ok(error.lines.length > 0)
    const lines = text.split('\n').length
    for (const mistake of error.lines) {
      assert.ok(mistake.startsWith(`${path}:`), mistake)
      const [line, column] = /^:(\d+):(\d+): ./s.exec(mistake.slice(path.length))?.slice(1).map(Number) ?? []
      // What is wrong with an alias shows only when all is put together, and has no place of its own.
      if (line === undefined || column === undefined) assert.match(mistake, /: not YAML: /)
      else assert.ok(line >= 1 && line <= lines && column >= 1, mistake)
    }
  }
}
