/** The invite as it is pasted or piped. It is a secret: it is never taken from the command line. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { InviteLineError, parseInviteLine, type Invite } from '../../../shared/identity/invite-line.ts'

/** Far more than a line. */
const longestInput = 16_384

/**
 * A terminal that broke the line when it was pasted hands on several: they are one, up to an empty line.
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
