/** Reads the invite from a terminal or a pipe. It contains a secret, so it is never taken from the command line. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { InviteLineError, parseInviteLine, type Invite } from '../../../shared/identity/invite-line.ts'

/** Far more than a line. */
const longestInput = 16_384

/**
 * A terminal may have broken the line when it was pasted, so all lines up to an empty one count as one.
 * @throws InviteLineError
 */
export async function readInvite(input: Readable): Promise<Invite> {
  const lines = createInterface({ input, crlfDelay: Infinity })
  let text = ''
  try {
    for await (const line of lines) {
      if (line.trim() === '' && text !== '') break
      text += line
      const invite = parseIfWhole(text)
      if (invite !== null) return invite
      if (text.length > longestInput) break
    }
  } finally {
    lines.close()
  }
  return parseInviteLine(text)
}

function parseIfWhole(text: string): Invite | null {
  try {
    return parseInviteLine(text)
  } catch (error) {
    if (!(error instanceof InviteLineError)) throw error
    return null
  }
}
