/** Source files as they lie on the disk. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { wings } from './rooms.ts'
import type { Sources } from './walls.ts'

export const root = join(import.meta.dirname, '../..')

/** Those of the product; or those in other folders. */
export function readSources(folders: readonly string[] = wings): Sources {
  const files = folders.flatMap((wing) =>
    readdirSync(join(root, wing), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.[mc]?[jt]sx?$/.test(name) && !name.includes('node_modules/'))
      .map((name) => `${wing}/${name}`),
  )
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
}
