/**
 * Keys and certificates of the two identities on the witness host: the witness itself, and the admin as whom witnessctl
 * acts (whoever can read that folder is the admin). They are created at the first start, and again if they are damaged
 * or belong to an authority that was replaced.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  CredentialsError,
  readCredentials,
  writeCredentials,
  type Credentials,
} from '../../shared/identity/credentials.ts'
import type { Identity } from '../../shared/identity/identity.ts'
import type { Authority } from './authority.ts'

/** @throws the system's error if the folder cannot be written */
export async function ownCredentials(
  folder: string,
  wanted: Identity,
  authority: Authority,
): Promise<Credentials> {
  const found = readIfGood(folder)
  if (found !== null && isDeepStrictEqual(found.identity, wanted) && isOf(found, authority)) return found
  const made = { ...(await authority.issue(wanted)), authority: authority.certificatePem }
  writeCredentials(folder, made)
  return made
}

function isOf(credentials: Credentials, authority: Authority): boolean {
  return credentials.authority.trim() === authority.certificatePem.trim()
}

function readIfGood(folder: string): ReturnType<typeof readCredentials> | null {
  try {
    return readCredentials(folder, '')
  } catch (error) {
    if (error instanceof CredentialsError) return null
    throw error
  }
}
