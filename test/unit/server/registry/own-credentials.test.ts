import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownCredentials } from '../../../../server/registry/own-credentials.ts'
import { identityFileIn, readCredentials } from '../../../../shared/identity/credentials.ts'
import { authority, foreignAuthority } from '../../../identities.ts'

const admin = { kind: 'admin', name: 'local' } as const

describe('the identity of somebody on the witness host', () => {
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'own-'))))
  afterEach(() => rmSync(folder, { recursive: true }))
  const file = (): string => identityFileIn(folder)

  it('is made once, for its owner only, and found again', async () => {
    const made = await ownCredentials(folder, admin, authority)
    assert.deepEqual(readCredentials(folder, '').identity, admin)
    assert.equal(statSync(file()).mode & 0o777, 0o600)
    const again = await ownCredentials(folder, admin, authority)
    assert.equal(again.key.trim(), made.key.trim())
  })

  it('is made anew where it is broken, of another authority, or of somebody else', async () => {
    await ownCredentials(folder, admin, authority)
    const spoil: (() => unknown)[] = [
      () => writeFileSync(file(), 'torn'),
      () => ownCredentials(folder, admin, foreignAuthority),
      () => ownCredentials(folder, { kind: 'witness' }, authority),
    ]
    for (const how of spoil) {
      await how()
      const spoilt = readFileSync(file(), 'utf8')
      await ownCredentials(folder, admin, authority)
      assert.notEqual(readFileSync(file(), 'utf8'), spoilt)
      const found = readCredentials(folder, '')
      assert.deepEqual(found.identity, admin)
      assert.equal(found.authority, authority.certificatePem)
    }
  })
})
