/**
 * One look-up of a name at a time. A DNS server that does not answer keeps a look-up for half a minute or more, and an
 * agent dials a voter several times a second meanwhile. Without this, the look-ups would pile up until its memory is
 * used up, and keep the threads busy that also write its files.
 */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

type Answer = Parameters<LookupFunction>[2]
type System = (
  hostname: string,
  options: LookupOptions,
  callback: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
) => void

/** Whoever asks for a name while it is being looked up gets the same answer. */
export function oneAtATime(system: System): LookupFunction {
  const waiting = new Map<string, Answer[]>()
  return (hostname, options, callback) => {
    const question = JSON.stringify([hostname, options])
    const others = waiting.get(question)
    if (others !== undefined) {
      others.push(callback)
      return
    }
    const callbacks = [callback]
    waiting.set(question, callbacks)
    system(hostname, options, (error, address, family) => {
      waiting.delete(question)
      for (const answer of callbacks) answer(error, address, family)
    })
  }
}

export const lookUpOnce = oneAtATime(lookup)
