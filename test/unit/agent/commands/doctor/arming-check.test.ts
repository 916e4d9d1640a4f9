import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { checkArming } from '../../../../../agent/commands/doctor/arming-check.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

describe('checkArming', () => {
  const folder = temporaryFolder()

  it('fails for each instance that is not armed', () => {
    writeFileSync(folder('check.conf'), 'NODE=lb01\nARMED=VI_1 VI_3\n')
    const findings = checkArming({ stateDir: folder(), instances: ['VI_1', 'VI_2'] })
    assert.deepEqual(
      findings.map(({ verdict }) => verdict),
      ['ok', 'FAIL'],
    )
    assert.match(findings[1]?.text ?? '', /^VI_2: not armed yet/)
  })

  it('says nothing where no agent has run', () =>
    assert.deepEqual(checkArming({ stateDir: folder(), instances: ['VI_1'] }), []))
})
