import assert from 'node:assert/strict'
import {
  InviteLineError,
  parseInviteLine,
  writeInviteLine,
  type Invite,
} from '../../../../shared/identity/invite-line.ts'

const invite: Invite = {
  address: '10.0.0.20:7400',
  fingerprint: 'f'.repeat(43),
  secret: 'sEcReT-sEcReT-sEcReT_1',
  cluster: 'web',
  node: 'lb01',
}
const line = writeInviteLine(invite)

function coded(content: object): string {
  return `kw1.${Buffer.from(JSON.stringify(content)).toString('base64url')}`
}

function refused(text: string, says: RegExp): void {
  assert.throws(
    () => parseInviteLine(text),
    (error) => {
      assert.ok(error instanceof InviteLineError)
      assert.match(error.message, says)
      assert.doesNotMatch(error.message, /sEcReT/, 'a secret must not get into a log')
      return true
    },
  )
}

describe('invite-line', () => {
  it('reads what it wrote, with every kind of address', () => {
    for (const address of ['10.0.0.20:7400', '[2001:db8::20]:7400', 'witness.example.org:65535'])
      assert.deepEqual(parseInviteLine(writeInviteLine({ ...invite, address })), { ...invite, address })
  })

  it('is one word that a shell leaves alone', () => assert.match(line, /^kw1\.[A-Za-z0-9_-]+$/))

  it('reads a line that a terminal or a chat has broken up', () => {
    const broken = `  ${line.slice(0, 40)}\r\n   ${line.slice(40, 90)} ${line.slice(90)}\t\n\n`
    assert.deepEqual(parseInviteLine(broken), invite)
  })

  it('asks for the line where nothing came', () => {
    for (const text of ['', ' \n\t']) refused(text, /no invite was given; paste the line/)
  })

  it('refuses what is no invite, and says how to do it right', () => {
    refused('hello', /begins with "kw1\."/)
    refused(line.slice(4), /begins with "kw1\."/)
    refused(`kw2${line.slice(3)}`, /begins with "kw1\."/)
    refused(`${line}"`, /characters that an invite cannot have/)
    refused('kw1.', /characters that an invite cannot have/)
    refused(line.repeat(20), /too long/)
    refused(`kw1.${'A'.repeat(40)}`, /missing or changed.*copy the whole line/)
  })

  it('refuses a line of which the beginning or the end is missing', () => {
    for (let cut = 1; cut < line.length - 4; cut += 1) refused(line.slice(0, -cut), /this is not an invite/)
  })

  it('refuses addresses, names and secrets that no witness gives', () => {
    const content = { a: invite.address, f: invite.fingerprint, s: invite.secret, c: 'web', n: 'lb01' }
    assert.deepEqual(parseInviteLine(coded(content)), invite)
    for (const wrong of [
      { a: '10.0.0.20' },
      { a: '10.0.0.20:0' },
      { a: '10.0.0.20:65536' },
      { a: 'user@host:7400' },
      { a: 'host/path:7400' },
      { f: 'short' },
      { s: 'short' },
      { c: '../web' },
      { n: 'witness' },
      { extra: 1 },
    ])
      refused(coded({ ...content, ...wrong }), /missing or changed/)
  })
})
