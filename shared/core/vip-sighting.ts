/** What counts as having the VIP, in an agent's own eyes and in what it reports. Pure. */
import type { KeepalivedState, VipState } from '../protocol/report.ts'

/** keepalived is MASTER, or the kernel has a VIP of the instance, which is the same to the network. */
export function showsVip(sight: { readonly keepalived: KeepalivedState; readonly vips: VipState }): boolean {
  return sight.keepalived === 'MASTER' || sight.vips === 'held'
}
