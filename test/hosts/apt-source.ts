/** Where this machine gets its Debian packages from, as apt is configured; the hosts are made from the same archive. */
import { readFileSync } from 'node:fs'
import { command } from '../lab/command.ts'
import { PrerequisiteError } from '../lab/prerequisites.ts'

export interface AptSource {
  /** The archive, as debootstrap wants it. */
  readonly url: string
  /** The release: `bookworm`. */
  readonly codename: string
  readonly architecture: string
  /** The proxy that apt uses for it; null: none. */
  readonly proxy: string | null
}

/** @throws PrerequisiteError if apt knows no archive of this machine's own release. */
export async function aptSource(): Promise<AptSource> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const targets = await command('apt-get', [
    ...['indextargets', '--format', '$(RELEASE) $(COMPONENT) $(ARCHITECTURE) $(REPO_URI)'],
    'Created-By: Packages',
  ])
  const archive = targets
    .split('\n')
    .map((line) => line.split(' '))
    .find(([release, component]) => release === codename && component === 'main')
  const [, , architecture, url] = archive ?? []
  if (codename === undefined || architecture === undefined || url === undefined)
    throw new PrerequisiteError(
      `apt knows no archive of this machine's release (${codename ?? 'unknown'}, component main): ` +
        'run apt-get update, or check /etc/apt/sources.list.d',
    )
  return { url, codename, architecture, proxy: await proxyFor(url) }
}

async function proxyFor(url: string): Promise<string | null> {
  const scheme = new URL(url).protocol.replace(':', '')
  const answer = await command('apt-config', ['shell', 'PROXY', `Acquire::${scheme}::Proxy`])
  return /^PROXY='(.+)'$/m.exec(answer)?.[1] ?? null
}
