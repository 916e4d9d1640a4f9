/**
 * Keys and certificates of those who live on the witness host: the witness itself, and the admin by whose identity
 * witnessctl commands (whoever can read that folder is the admin). Made at the first start, and again where they are broken
 * or of an authority that was replaced.
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

/** @throws the system's error where the folder cannot be written */
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
