import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { writeCheckSettings } from '../../../../agent/check/settings.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('writeCheckSettings', () => {
  const folder = temporaryFolder()
  const settings = {
    witness: 'https://10.0.0.20:7400',
    cluster: 'web',
    node: 'lb01',
    mode: 'enforce' as const,
    alone: 'stop' as const,
    runDir: '/run/keepalived-witness',
    armed: ['VI_1', 'VI_2'],
  }
  const text =
    'WITNESS=https://10.0.0.20:7400\nCLUSTER=web\nNODE=lb01\nMODE=enforce\nALONE=stop\nRUN_DIR=/run/keepalived-witness\nARMED=VI_1 VI_2\n'

  it('writes what the check reads, and nothing else', async () => {
    await writeCheckSettings(folder('state'), settings)
    assert.equal(readFileSync(folder('state/check.conf'), 'utf8'), text)
    assert.equal(statSync(folder('state/check.conf')).mode & 0o777, 0o644)
    assert.deepEqual(readdirSync(folder('state')), ['check.conf'])
  })

  it('leaves nothing behind where it cannot be put in place', async () => {
    mkdirSync(folder('check.conf'))
    await assert.rejects(writeCheckSettings(folder(), settings), /check\.conf/)
    assert.deepEqual(readdirSync(folder()), ['check.conf'])
  })

  it('closes a file that was open to all, and can be read whatever the umask', async () => {
    const before = process.umask(0o077)
    try {
      writeFileSync(folder('check.conf'), '')
      chmodSync(folder('check.conf'), 0o666)
      await writeCheckSettings(folder(), settings)
    } finally {
      process.umask(before)
    }
    assert.equal(statSync(folder('check.conf')).mode & 0o777, 0o644)
    assert.equal(readFileSync(folder('check.conf'), 'utf8'), text)
  })
})
