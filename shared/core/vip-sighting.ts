/** What counts as having the VIP, in what an agent observes and in what it reports. Pure. */
import type { KeepalivedState, VipState } from '../protocol/report.ts'

/**
 * Whether keepalived is MASTER, or the kernel has a VIP of the instance, which makes no difference to the network. An
 * address that is proved not to be keepalived's does not count: no vote and no fence can move it.
 */
export function showsVip(sight: {
  readonly keepalived: KeepalivedState
  readonly vips: VipState
  readonly foreignVip?: true | undefined
}): boolean {
  return sight.keepalived === 'MASTER' || (sight.vips === 'held' && sight.foreignVip !== true)
}
