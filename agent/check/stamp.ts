/**
 * Whether keepalived runs the check, which touches `<instance>.checked` each time. Only a change of the stamp counts,
 * at the instant at which it is seen on the boot clock; its own time is from the wall clock, which may jump.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'

export class CheckStamp {
  readonly #path: string
  #seen: string | null

  constructor(runDir: string, instance: string) {
    this.#path = join(runDir, `${instance}.checked`)
    // A stamp from before the start of this agent proves nothing about now.
    this.#seen = this.#read()
  }

  /** True when the check ran since the last look. */
  look(): boolean {
    const now = this.#read()
    if (now === this.#seen) return false
    this.#seen = now
    return now !== null
  }

  #read(): string | null {
    const stat = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? null : `${stat.ino}/${stat.mtimeNs}`
  }
}
