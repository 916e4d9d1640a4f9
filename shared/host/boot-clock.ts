/**
 * Time since boot, suspend included (CLOCK_BOOTTIME, `/proc/uptime`, proc(5)): the only clock of leases and promises.
 * The wall clock may jump, and the monotonic clock stands still while the host sleeps.
 *
 * It is read at every event. `os.uptime()` opens the file each time, which in a process that has just woken up costs
 * three times as much as reading an open file, and fails if the process has no descriptor left.
 */
import { openSync, readFileSync, readSync } from 'node:fs'

const text = Buffer.alloc(64)
let descriptor: number | null = null

/** Milliseconds since boot; grain 10 ms. Handed in by main.ts files only. */
export function bootClockMs(): number {
  descriptor ??= openSync('/proc/uptime', 'r')
  // Read from the beginning of the file, because only there does the kernel read its clock again.
  const length = readSync(descriptor, text, 0, text.length, 0)
  return parseUptime(text, length)
}

const zero = 0x30
const point = 0x2e
const space = 0x20

/**
 * The first number of `/proc/uptime`: `12345.67 …`, in milliseconds.
 * @throws Error if it is anything else, because without its clock this process may decide nothing.
 */
export function parseUptime(bytes: Uint8Array, length: number): number {
  let hundredths = 0
  let pointAt = -1
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte === space && at > 3 && pointAt === at - 3) return hundredths * 10
    if (byte === point && at > 0 && pointAt < 0) pointAt = at
    else if (byte >= zero && byte <= zero + 9) hundredths = hundredths * 10 + byte - zero
    else break
  }
  throw new Error(
    `/proc/uptime cannot be used as a clock, it contains "${Buffer.from(bytes.subarray(0, length)).toString('latin1')}"`,
  )
}

/** Identity of this boot of the host (random(4)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
