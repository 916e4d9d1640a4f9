/** Whatever stands in witness.yaml: it is read, or refused with the places of all mistakes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { loadWitnessConfig } from '../../../server/config.ts'
import { assertTellsItsMistakes, yamlSnippets } from '../../fixtures/config-errors.ts'
import { damaged } from '../../fixtures/damaged-text.ts'
import { storiesFrom } from '../../fixtures/effort.ts'

const good = `listen: "[::1]:7500"
dataDir: /srv/witness
runDir: /run/witness
icmpIntervalMs: 500
logLevel: info
clusters:
  web:
    timing:
      leaseMs: 1700
      renewMs: 350
    gate: strict
  mail: {}
`

describe('witness.yaml under fuzz', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => (folder = mkdtempSync(join(tmpdir(), 'witness-config-'))))
  after(() => rmSync(folder, { recursive: true }))

  it('tells the places of its mistakes, whatever they are', () => {
    const path = join(folder, 'witness.yaml')
    fc.assert(
      fc.property(damaged(good, yamlSnippets), (text) => {
        writeFileSync(path, text)
        assertTellsItsMistakes(text, path, () => loadWitnessConfig(path))
      }),
      { numRuns: storiesFrom(200) },
    )
  })
})
