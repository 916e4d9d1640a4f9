/**
 * keepalived.conf, read again periodically. Some editors truncate the file before they write it, and a guard that
 * relied on such a reading would give up its lease while keepalived is MASTER. An instance therefore counts as
 * removed only when two readings in a row lack it.
 */
import type { Profile } from '../../shared/protocol/plan.ts'
import type { KeepalivedConf } from './profiles.ts'

export type ReadInstances = Pick<KeepalivedConf, 'profiles' | 'vips' | 'passwords'>

export class RereadProfiles {
  #read: ReadInstances
  /** Of `#read`, what the last reading lacked. */
  #missing: readonly string[] = []

  constructor(read: ReadInstances) {
    this.#read = read
  }

  /** What counts now. */
  get current(): readonly Profile[] {
    return this.#read.profiles
  }

  get vips(): ReadInstances['vips'] {
    return this.#read.vips
  }

  get passwords(): ReadInstances['passwords'] {
    return this.#read.passwords
  }

  /** @returns whether another thing counts from now on */
  take(read: ReadInstances): boolean {
    const missedBefore = this.#missing
    const present = new Set(read.profiles.map(({ instance }) => instance))
    this.#missing = this.current.map(({ instance }) => instance).filter((name) => !present.has(name))
    if (this.#missing.some((name) => !missedBefore.includes(name))) return false
    if (textOf(read) === textOf(this.#read)) return false
    this.#read = read
    this.#missing = []
    return true
  }
}

function textOf({ profiles, vips, passwords }: ReadInstances): string {
  return JSON.stringify([profiles, [...vips], [...passwords]])
}
