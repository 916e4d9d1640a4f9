/**
 * Whether the boot clock ran ahead of the monotonic clock, which does not advance while a host sleeps. If so, the
 * host slept or its clock jumped (a virtual machine that was migrated). Promises and leases are measured with the
 * boot clock. Pure.
 */

/** Both clocks are read one after the other, one of them in steps of 10 ms. */
const readingMs = 50

/** @returns by how many milliseconds the boot clock ran ahead; 0: both clocks agree */
export function clockJumpMs(bootPassedMs: number, monotonicPassedMs: number): number {
  const aheadMs = Math.round(bootPassedMs - monotonicPassedMs)
  return aheadMs > readingMs ? aheadMs : 0
}
