/**
 * The identity by which witnessctl commands: whoever can read this folder of the witness host is the admin. Made at the
 * first start, and again where it is broken or of an authority that was replaced.
 */
import { join } from 'node:path'
import { CredentialsError, readCredentials, writeCredentials } from '../shared/credentials.ts'
import type { Authority } from './authority.ts'

export function adminFolderIn(dataDir: string): string {
  return join(dataDir, 'admin')
}

/** @returns whether it was made now */
export async function keepAdminCredentials(dataDir: string, authority: Authority): Promise<boolean> {
  const folder = adminFolderIn(dataDir)
  try {
    const { identity, authority: trusted } = readCredentials(folder, '')
    if (identity.kind === 'admin' && trusted.trim() === authority.certificatePem.trim()) return false
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error
  }
  writeCredentials(folder, { ...(await authority.issueAdmin('local')), authority: authority.certificatePem })
  return true
}
