import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bearsToken, makeToken, readToken, sameToken, TokenError } from '../../../shared/token.ts'

describe('token', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'token-'))
    path = join(folder, 'token')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('makes a file that only its owner reads, and reads it back', () => {
    const token = makeToken(path)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(Buffer.from(token, 'base64url').length, 32)
    assert.equal(readToken(path), token)
  })

  it('leaves an existing token alone', () => {
    makeToken(path)
    const before = readFileSync(path, 'utf8')
    assert.throws(() => makeToken(path), TokenError)
    assert.equal(readFileSync(path, 'utf8'), before)
  })

  it('refuses a file that others can read, and says how to close it', () => {
    makeToken(path)
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(path, mode)
      assert.throws(() => readToken(path), {
        code: 'token',
        message: `${path}: mode 0${mode.toString(8)} lets others read the token: run "chmod 600 ${path}"`,
      })
    }
  })

  it('refuses a file of somebody else', function () {
    if (process.getuid?.() !== 0) {
      console.log('    skipped: only root can give a file away')
      this.skip()
    }
    makeToken(path)
    chownSync(path, 12_345, 12_345)
    assert.throws(() => readToken(path), /owned by user 12345/)
  })

  it('refuses what is no token without showing it', () => {
    for (const text of ['', 'short', 'two words that are long enough', 'ä'.repeat(40)]) {
      writeFileSync(path, text, { mode: 0o600 })
      assert.throws(
        () => readToken(path),
        (error) => error instanceof TokenError && (text === '' || !error.message.includes(text)),
      )
    }
  })

  it('says of a missing file what to do', () => {
    assert.throws(() => readToken(path), /no such file: copy the witness's token file there/)
    assert.throws(() => readToken(folder), /not a regular file/)
  })

  it('compares whole tokens', () => {
    assert.equal(sameToken('abc', 'abc'), true)
    assert.equal(sameToken('abc', 'abcd'), false)
    assert.equal(bearsToken('Bearer abc', 'abc'), true)
    assert.equal(bearsToken('bearer abc', 'abc'), true)
    for (const header of [
      undefined,
      '',
      'abc',
      'Basic abc',
      'Bearer',
      'Bearer ',
      'Bearer abc d',
      'Bearer ab',
    ])
      assert.equal(bearsToken(header, 'abc'), false, String(header))
    assert.equal(bearsToken(undefined, ''), false)
  })
})
