/** Whatever a token file holds: it is a token, or refused with the file's name and without a word of its content. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { bearsToken, readToken, sameToken, TokenError } from '../../../shared/token.ts'

const content = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ minLength: 10, maxLength: 40 }).map((text) => Buffer.from(text)),
  fc
    .tuple(fc.stringMatching(/^[!-~]{14,20}$/), fc.constantFrom('', '\n', '\r\n', '\n\n', ' ', '\0', '\nx'))
    .map((parts) => Buffer.from(parts.join(''))),
)

describe('token under fuzz', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => (folder = mkdtempSync(join(tmpdir(), 'token-'))))
  after(() => rmSync(folder, { recursive: true }))

  it('is one line of printable characters, or refused by name without being shown', () => {
    const path = join(folder, 'token')
    fc.assert(
      fc.property(content, (bytes) => {
        writeFileSync(path, bytes, { mode: 0o600 })
        const secret = bytes.toString('utf8').trim()
        try {
          const token = readToken(path)
          assert.equal(token, secret)
          assert.match(token, /^[!-~]{16,}$/)
        } catch (error) {
          if (!(error instanceof TokenError)) throw error
          assert.ok(error.message.startsWith(`${path}: `))
          assert.ok(secret.length < 8 || !error.message.includes(secret))
        }
      }),
      { numRuns: 400 },
    )
  })

  it('is borne by the one header that has it, and by no other', () =>
    fc.assert(
      fc.property(
        fc.stringMatching(/^[!-~]{16,40}$/),
        fc.string(),
        fc.string({ unit: 'binary' }),
        (token, one, other) => {
          assert.equal(bearsToken(`Bearer ${token}`, token), true)
          for (const header of [one, other, `Bearer ${one}`, `Bearer ${token}${other}`])
            assert.equal(bearsToken(header, token), /^Bearer +(\S+)$/i.exec(header)?.[1] === token)
          assert.equal(sameToken(one, other), one === other || Buffer.from(one).equals(Buffer.from(other)))
        },
      ),
    ))
})
