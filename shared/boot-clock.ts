/**
 * Time since boot, suspend included (CLOCK_BOOTTIME, `/proc/uptime`, proc(5)): the only clock of leases and promises.
 * The wall clock may jump, and the monotonic clock stands still while the host sleeps.
 */
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** Milliseconds since boot; grain 10 ms. Read by main.ts files only. */
export function bootClockMs(): number {
  return Math.round(uptime() * 1000)
}

/** Identity of this boot of the host (random(4)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
