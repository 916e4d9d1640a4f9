/**
 * Prepares hosts for use: installs what the machine needs, removes what other runs left behind, makes image and
 * packages, and boots.
 */
import { LabFolder, sweepAbandonedFolders } from '../lab/lab-folder.ts'
import { baseImage } from './base-image.ts'
import { sweepControlGroups } from './control-group.ts'
import { buildDebPackages, type DebPackage } from './deb-packages.ts'
import { ensureHostPrerequisites } from './host-prerequisites.ts'
import { HostsLab } from './hosts-lab.ts'
import { protect, type WalkedThrough } from './protected-pair.ts'
import { handOutPackage, type Typed } from './walk-through.ts'

export interface PreparedHosts {
  readonly lab: HostsLab
  readonly packages: { readonly present: DebPackage; readonly later: DebPackage }
  /** The package lies in the admin's home. */
  readonly handOut: () => Promise<void>
  /** Types the README's commands. */
  readonly protect: (told: (typed: Typed) => void) => Promise<WalkedThrough>
}

export async function prepareHosts({ tell }: { tell: (text: string) => void }): Promise<PreparedHosts> {
  await ensureHostPrerequisites()
  sweepAbandonedFolders()
  sweepControlGroups()
  const [image, packages] = await Promise.all([baseImage(tell), buildDebPackages(new LabFolder('disk').path)])
  const lab = await HostsLab.install(image)
  return {
    lab,
    packages,
    handOut: () => handOutPackage(lab, packages.present),
    protect: (told) => protect(lab, packages.present, told),
  }
}
