/** What the lab needs from the machine, and what to install if it is missing. */
import { findProgram } from '../find-program.ts'

/** Program → Debian package. */
const programs: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  keepalived: 'keepalived',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setsid: 'util-linux',
  bash: 'bash',
  curl: 'curl',
  ping: 'iputils-ping',
  arping: 'iputils-arping',
  perl: 'perl-base',
}

export class PrerequisiteError extends Error {
  readonly code = 'prerequisite'
}

/** @throws PrerequisiteError naming everything that is missing and the command that installs it. */
export function assertPrerequisites(): void {
  if (process.platform !== 'linux')
    throw new PrerequisiteError(`the lab needs Linux (namespaces, nftables); this is ${process.platform}`)
  if (process.getuid?.() !== 0)
    throw new PrerequisiteError(
      'the lab needs root to create network namespaces; run it with sudo, or in a container with --privileged',
    )
  const missing = Object.keys(programs).filter((program) => findProgram(program) === null)
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => programs[program]))].join(' ')
    throw new PrerequisiteError(`the lab needs ${missing.join(', ')}; run: apt-get install ${packages}`)
  }
}
