/** The Debian packages that the hosts get: the product as it is, and the same with a later version number. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from '../lab/command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packageName = 'keepalived-witness'

export interface DebPackage {
  readonly path: string
  readonly version: string
}

/** Built from the present sources into `folder`; weakly compressed, because nobody downloads them. */
export async function buildDebPackages(folder: string): Promise<{ present: DebPackage; later: DebPackage }> {
  const present = await build(join(folder, 'present'), [])
  const later = await build(join(folder, 'later'), ['--debian-version', `${present.version}+later1`])
  return { present, later }
}

async function build(folder: string, args: readonly string[]): Promise<DebPackage> {
  await command(
    'npm',
    [
      ...['--prefix', root, 'run', '--silent', 'package', '--'],
      ...['--quick', '--no-lint', '--accept-older-node', '--out', folder, ...args],
    ],
    { timeoutMs: 5 * 60_000 },
  )
  const name = readdirSync(folder).find((each) => each.endsWith('.deb'))
  const version = new RegExp(`^${packageName}_(.+)_[^_]+\\.deb$`).exec(name ?? '')?.[1]
  if (name === undefined || version === undefined)
    throw new Error(`npm run package left no .deb in ${folder}`)
  return { path: join(folder, name), version }
}
