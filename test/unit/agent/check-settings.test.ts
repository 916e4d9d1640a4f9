import assert from 'node:assert/strict'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { writeCheckSettings } from '../../../agent/check-settings.ts'
import { temporaryFolder } from './temporary-folder.ts'

describe('writeCheckSettings', () => {
  const folder = temporaryFolder()
  const settings = {
    witness: 'http://10.0.0.20:7400',
    cluster: 'web',
    node: 'lb01',
    mode: 'enforce' as const,
    alone: 'stop' as const,
    runDir: '/run/keepalived-witness',
    token: 'secret-token',
  }

  it('writes what the check reads, and the token where only its owner reads', () => {
    writeCheckSettings(folder('state'), settings)
    assert.equal(
      readFileSync(folder('state/check.conf'), 'utf8'),
      'WITNESS=http://10.0.0.20:7400\nCLUSTER=web\nNODE=lb01\nMODE=enforce\nALONE=stop\nRUN_DIR=/run/keepalived-witness\n',
    )
    assert.equal(readFileSync(folder('state/check.header'), 'utf8'), 'Authorization: Bearer secret-token\n')
    assert.equal(statSync(folder('state/check.conf')).mode & 0o777, 0o644)
    assert.equal(statSync(folder('state/check.header')).mode & 0o777, 0o600)
  })

  it('closes a header file that was open to all', () => {
    writeCheckSettings(folder(), settings)
    writeFileSync(folder('check.header'), '')
    chmodSync(folder('check.header'), 0o666)
    writeCheckSettings(folder(), settings)
    assert.equal(statSync(folder('check.header')).mode & 0o777, 0o600)
  })
})
