/** What booted hosts need beside what the namespace lab needs. */
import { existsSync } from 'node:fs'
import { PrerequisiteError } from '../lab/prerequisites.ts'

/** Program → Debian package. */
const programs: Readonly<Record<string, string>> = {
  '/usr/sbin/debootstrap': 'debootstrap',
  '/usr/bin/systemd-nspawn': 'systemd-container',
  '/usr/bin/apt-get': 'apt',
}

/** @throws PrerequisiteError naming what is missing and the command that installs it. */
export function assertHostPrerequisites(): void {
  const missing = Object.keys(programs).filter((path) => !existsSync(path))
  if (missing.length > 0)
    throw new PrerequisiteError(
      `the hosts lab misses ${missing.join(', ')}: apt-get install ${missing.map((path) => programs[path]).join(' ')}`,
    )
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/systemd'))
    throw new PrerequisiteError(
      'the hosts lab needs control groups at /sys/fs/cgroup: version 2, or version 1 with the tree "name=systemd"',
    )
}
