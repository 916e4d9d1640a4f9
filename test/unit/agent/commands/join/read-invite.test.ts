import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { readInvite } from '../../../../../agent/commands/join/read-invite.ts'
import { InviteLineError, writeInviteLine, type Invite } from '../../../../../shared/identity/invite-line.ts'

const invite: Invite = {
  address: '10.0.0.20:7400',
  fingerprint: 'f'.repeat(43),
  secret: 's'.repeat(22),
  cluster: 'web',
  node: 'lb01',
}
const line = writeInviteLine(invite)

describe('read-invite', () => {
  it('takes a line without waiting for the end of the input: a terminal has none', async () => {
    const terminal = new PassThrough()
    terminal.write(`${line}\n`)
    assert.deepEqual(await readInvite(terminal), invite)
  })

  it('takes a line that arrives in pieces, over several lines, or without an end of line', async () => {
    for (const pieces of [
      [line.slice(0, 10), line.slice(10), '\n'],
      [`${line.slice(0, 60)}\n${line.slice(60, 120)}\r\n`, `${line.slice(120)}\n`],
      ['\n\n', `  ${line}`],
      [line],
    ])
      assert.deepEqual(await readInvite(Readable.from(pieces)), invite)
  })

  it('gives up at an empty line, at the end, and on what never ends', async () => {
    const terminal = new PassThrough()
    terminal.write(`${line.slice(0, -10)}\n\n`)
    await assert.rejects(readInvite(terminal), InviteLineError)
    await assert.rejects(readInvite(Readable.from([])), /no invite was given/)
    const flood = new PassThrough()
    flood.write(`${'x'.repeat(500)}\n`.repeat(20))
    flood.write(`${'x'.repeat(500)}\n`.repeat(20))
    await assert.rejects(readInvite(flood), /this is not an invite/)
  })
})
