/**
 * Whether the boot clock ran ahead of the monotonic clock, which stands still while a host sleeps: the host slept, or
 * its clock jumped (a virtual machine that was moved). Promises and leases are reckoned by the boot clock.
 */

/** Both clocks are read one after the other, one of them in steps of 10 ms. */
const readingMs = 50

/** @returns by how many milliseconds the boot clock ran ahead; 0: the two went together */
export function clockJumpMs(bootPassedMs: number, monotonicPassedMs: number): number {
  const aheadMs = Math.round(bootPassedMs - monotonicPassedMs)
  return aheadMs > readingMs ? aheadMs : 0
}
