import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { longestRequest, makeKeyRequest } from '../../../../shared/identity/key-request.ts'

describe('key-request', () => {
  it('makes a P-256 key, and a request that openssl verifies and finds the same key in', async () => {
    const { key, request } = await makeKeyRequest()
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key)
    assert.deepEqual([asymmetricKeyType, asymmetricKeyDetails?.namedCurve], ['ec', 'prime256v1'])
    assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/)
    const openssl = (args: readonly string[], input: string): string =>
      execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
    assert.equal(openssl(['req', '-verify', '-noout', '-pubkey'], request), openssl(['pkey', '-pubout'], key))
    assert.ok(request.length < longestRequest)
  })

  it('makes another key each time', async () =>
    assert.notEqual((await makeKeyRequest()).key, (await makeKeyRequest()).key))
})
