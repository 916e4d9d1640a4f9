/** What booted hosts need in addition to what the namespace lab needs. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { command } from '../lab/command.ts'
import { assertPrerequisites, PrerequisiteError } from '../lab/prerequisites.ts'

/** Program → Debian package. */
const programs: Readonly<Record<string, string>> = {
  '/usr/sbin/debootstrap': 'debootstrap',
  '/usr/bin/systemd-nspawn': 'systemd-container',
  '/usr/bin/apt-get': 'apt',
}

const installer = fileURLToPath(new URL('../../deploy/debian-packages', import.meta.url))

/**
 * Installs what is missing.
 * @throws PrerequisiteError naming what could not be installed, and the command that installs it
 */
export async function ensureHostPrerequisites(): Promise<void> {
  assertPrerequisites()
  if (missingPrograms().length > 0) await command(installer, ['--for', 'hosts'], { timeoutMs: 5 * 60_000 })
  const missing = missingPrograms()
  if (missing.length > 0)
    throw new PrerequisiteError(
      `the hosts lab needs ${missing.join(', ')}; run: apt-get install ${missing.map((path) => programs[path]).join(' ')}`,
    )
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/systemd'))
    throw new PrerequisiteError(
      'the hosts lab needs control groups at /sys/fs/cgroup: version 2, or version 1 with the tree "name=systemd"',
    )
}

function missingPrograms(): string[] {
  return Object.keys(programs).filter((path) => !existsSync(path))
}
