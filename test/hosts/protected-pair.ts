/** A lab whose pair is protected as the README describes, and what that cost. */
import { adminUser } from './base-image.ts'
import { type DebPackage } from './deb-packages.ts'
import { keepalivedConfPath, type HostsLab } from './hosts-lab.ts'
import { ownershipFigures, type OwnershipFigures } from '../lab/vip-ownership.ts'
import { noteBoot } from './power.ts'
import { untilSettled } from './scenario-run.ts'
import { handOutPackage, sections, type Typed, walkThrough } from './walk-through.ts'

export interface WalkedThrough {
  readonly typed: readonly Typed[]
  readonly tookMs: number
  /** What happened to the VIP during that. */
  readonly ownership: OwnershipFigures
}

export async function protect(
  lab: HostsLab,
  deb: DebPackage,
  told: (typed: Typed) => void,
): Promise<WalkedThrough> {
  await handOutPackage(lab, deb)
  const fromMs = Date.now()
  const typed = await walkThrough(lab, sections.protect, told)
  const toMs = Date.now()
  // What the invariants know of the hosts begins here.
  for (const name of ['lb01', 'lb02', 'witness'] as const) noteBoot(lab, name)
  await untilSettled(lab, 'after the README')
  return {
    typed,
    tookMs: toMs - fromMs,
    ownership: ownershipFigures(lab.observer.changes(), { fromMs, toMs }),
  }
}

/** What the package leaves on a host, as paths, apart from the backup that `setup` made; empty if nothing is left. */
export async function traces(lab: HostsLab, name: 'lb01' | 'lb02' | 'witness'): Promise<readonly string[]> {
  const { stdout } = await lab
    .host(name)
    .tryRun(
      'find',
      ...['/usr', '/etc', '/var/lib', '/run'],
      ...[
        '-xdev',
        '-name',
        '*witness*',
        '-not',
        '-path',
        '/run/host/*',
        '-not',
        '-path',
        `/home/${adminUser}/*`,
      ],
      ...['-not', '-path', '/var/lib/dpkg/*', '-print'],
    )
  return stdout.split('\n').filter((path) => path !== '' && !isBackup(path))
}

function isBackup(path: string): boolean {
  return path.startsWith(`${keepalivedConfPath}.`) && path.endsWith('.before-witness')
}
