/**
 * The same state under one name: instants count from now, epochs by their order, and what only operators read is left
 * out. A field that is not named here is taken as it is, so that an unknown one splits states and never merges them.
 */
import { silenceMs } from '../../shared/core/timing.ts'
import { bootIdOf, incarnationOf, sentAtMsOf } from './play.ts'
import { nodeNames, timing, type Held, type Host, type State } from './state.ts'

/** No decision asks how long ago something was beyond this; holdDown and stop patience are 5 s. */
const horizonMs = 5600

/** Texts, what is told to operators, what never changes, and what other fields say as well. */
const dropped: ReadonlySet<string> = new Set([
  'judgement',
  'reported',
  'why',
  'text',
  'reason',
  'evidence',
  'warnings',
  'timing',
  'profile',
  'policy',
  'member',
  'cluster',
  'recovered',
  'startedAtMs',
  'membersSinceMs',
  'turnedAtMs',
  'runningSinceMs',
  'refusedMessages',
  'node',
  'peer',
  'lastFence',
  'recordTookMs',
  'checkSeenAtMs',
  'checkSilentMs',
  'echoes',
  'listeningSinceMs',
  'software',
  'protocol',
  'listener',
  'profiles',
  'mode',
  'instance',
  'priority',
  'nopreempt',
  'fence',
  // No hello of an old start comes after that of a newer one.
  'past',
  // Numbers of one connection come in their order: no new one is below it.
  'lastSeq',
  'remoteAddress',
])

/** Phases of a guard whose age nothing asks for. */
const agelessPhases: ReadonlySet<string> = new Set([
  'standby',
  'probation',
  'barred',
  'holding',
  'unprotected',
  'overruled',
])

const epochFields: ReadonlySet<string> = new Set(['epoch', 'spentEpoch', 'recordedEpoch', 'witnessEpoch'])
const seqFields: ReadonlySet<string> = new Set(['seq', 'firstSeq', 'beat', 'peerBeatPending'])

class Writer {
  readonly #nowMs: number
  readonly #state: State
  readonly #parts: string[] = []
  readonly #epochs: { at: number; epoch: number }[] = []

  constructor(state: State) {
    this.#state = state
    this.#nowMs = state.atMs
  }

  toString(): string {
    const ranks = rankEpochs(this.#epochs.map(({ epoch }) => epoch))
    for (const { at, epoch } of this.#epochs) this.#parts[at] = `#${ranks.get(epoch) ?? 0}`
    return this.#parts.join(' ')
  }

  write(key: string, value: unknown): void {
    if (dropped.has(key)) return
    if (typeof value === 'number') return this.#writeNumber(key, value)
    if (value === null || typeof value !== 'object') {
      this.#parts.push(`${key}=${String(value)}`)
      return
    }
    if (Array.isArray(value)) return this.#writeList(key, value)
    if (value instanceof Map) return this.#writeEntries(key, [...value])
    if (value instanceof Set) return this.#writeList(key, [...value].sort())
    this.#writeFields(key, value as Readonly<Record<string, unknown>>)
  }

  #writeList(key: string, values: readonly unknown[]): void {
    this.#parts.push(`${key}[${values.length}`)
    if (key === 'recentAtMs') return this.#writeFences(values)
    for (const value of values) this.write(key, value)
  }

  /** When one fence was matters only to the third within a minute; an hour is longer than any walk. */
  #writeFences(fencedAtMs: readonly unknown[]): void {
    if (fencedAtMs.length < 2) return
    for (const atMs of fencedAtMs) this.#parts.push(`${Math.max(-60_000, Number(atMs) - this.#nowMs)}`)
  }

  #writeEntries(key: string, entries: readonly (readonly [unknown, unknown])[]): void {
    this.#parts.push(key, '{')
    for (const [name, value] of entries) this.write(String(name), value)
    this.#parts.push('}')
  }

  #writeFields(key: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.push(key, '{')
    for (const name in fields) {
      const value = fields[name]
      switch (name) {
        case 'sinceMs':
          if (!agelessPhases.has(String(fields.name))) this.#writeInstant(name, Number(value))
          break
        case 'number':
          break
        case 'failedProbations':
          // From here on the wait before the next one is the longest.
          this.#parts.push(`failed=${Math.min(Number(value), 4)}`)
          break
        case 'provedAtMs':
          this.#parts.push(value === null ? 'unproved' : 'proved')
          break
        case 'baseline':
          this.#writeBaseline(value)
          break
        case 'witnessHeardAtMs':
        case 'peerHeardAtMs':
          this.#writeHeard(name, value, Number(fields.listeningSinceMs))
          break
        case 'peerSilentMs':
          this.#parts.push(typeof value !== 'number' || value >= silenceMs(timing) ? 'deaf' : 'hears')
          break
        case 'witnessSilentMs':
          this.#writeSilence(value)
          break
        case 'incarnation':
          this.#parts.push(this.#isCurrent(incarnationOf, value) ? 'this-start' : 'old-start')
          break
        case 'bootId':
          this.#parts.push(this.#isCurrent(bootIdOf, value) ? 'this-boot' : 'old-boot')
          break
        case 'connection':
          this.#parts.push(this.#connectionWord(value))
          break
        case 'grantedSentAtMs':
          for (const [voter, sentAtMs] of Object.entries(value as Record<string, number>))
            this.#writeInstant(voter, sentAtMs)
          break
        default:
          this.write(name, value)
      }
    }
    this.#parts.push('}')
  }

  /** Beyond the silence after which a vote is delegated, nothing asks for it. */
  #writeSilence(value: unknown): void {
    const isLong = typeof value === 'number' && value >= timing.delegateAfterMs
    const isCounted = timing.delegateAfterMs <= horizonMs
    this.#parts.push(isLong || !isCounted ? 'witness-silent' : `witness-silent:${String(value)}`)
  }

  /** The count of adverts is compared with it, and with nothing else. */
  #writeBaseline(value: unknown): void {
    const heard = nodeNames
      .map((name) => this.#state.hosts[name])
      .find((host) => host === this.#host)?.advertsHeard
    this.#parts.push(value === null ? 'uncounted' : heard === value ? 'no-adverts' : 'adverts')
  }

  #isCurrent(idOf: (host: Host) => string, value: unknown): boolean {
    return nodeNames.some((name) => idOf(this.#state.hosts[name]) === value)
  }

  #connectionWord(value: unknown): string {
    if (value === null) return 'no-connection'
    const owner = nodeNames.find((name) => this.#state.hosts[name].connection === value)
    return `by-${owner ?? 'gone'}`
  }

  /** A word from before this agent listened counts for less than one since. */
  #writeHeard(name: string, value: unknown, sinceMs: number): void {
    const heardAtMs = typeof value === 'number' ? value : -Infinity
    this.#parts.push(heardAtMs >= sinceMs ? 'heard' : 'unheard')
    this.#writeInstant(name, Math.max(heardAtMs, sinceMs))
    if (heardAtMs < sinceMs) this.#writeInstant(name, heardAtMs)
  }

  #writeNumber(key: string, value: number): void {
    if (epochFields.has(key)) {
      this.#parts.push('')
      this.#epochs.push({ at: this.#parts.length - 1, epoch: value })
      return
    }
    if (seqFields.has(key)) return this.#writeSeq(key, value)
    if (/untilMs$|deadlineMs$/i.test(key)) return this.#writeEnd(key, value)
    if (/(At|Since|echo|since|asOf)Ms$/.test(key)) return this.#writeInstant(key, value)
    this.#parts.push(`${key}=${value}`)
  }

  #writeSeq(key: string, seq: number): void {
    const ageMs = this.#nowMs - sentAtMsOf(seq)
    this.#parts.push(ageMs > horizonMs ? `${key}:old` : `${key}:${ageMs}`)
  }

  /** When something was. */
  #writeInstant(key: string, value: number): void {
    this.#parts.push(`${key}:${Math.max(-horizonMs, value - this.#nowMs)}`)
  }

  /** When something ends; a hold-down is over 5 s earlier where nobody holds. */
  #writeEnd(key: string, value: number): void {
    const earliest = key === 'holdUntilMs' ? -horizonMs : 0
    this.#parts.push(`${key}:${Math.max(earliest, value - this.#nowMs)}`)
  }

  #host: Host | null = null

  writeHost(host: Host): void {
    this.#host = host
    const { guard, disk, memory, permit, leaseUntilMs, deafUntilMs } = host
    this.#parts.push(
      host.name,
      host.keepalived,
      `${host.quietSteps}`,
      host.vip ? 'vip' : '',
      host.down ? 'down' : '',
      host.barred ? 'barred' : '',
      host.checkRefuses ? 'refused' : '',
      host.voteLeft ? 'vote-left' : '',
      host.connection === null ? 'apart' : '',
    )
    this.write('guard', guard)
    this.write('disk', disk)
    this.write('memory', memory)
    this.write('permit', permit)
    this.write('echoMs', host.echoMs ?? -Infinity)
    this.write('firstSeq', host.firstSeq)
    if (host.leavingSinceMs !== null) this.#writeInstant('leaving', host.leavingSinceMs)
    this.#writeEnd('lease', leaseUntilMs)
    this.#writeEnd('deaf', deafUntilMs)
    this.#host = null
  }

  writeHeld(way: string, { sinceMs, waiting }: Held): void {
    this.write('held', way)
    this.#writeInstant('since', sinceMs)
    for (const { from, to, body } of waiting) {
      this.#parts.push(from, to)
      this.write('body', body)
    }
  }
}

/** Near ones keep their distance, because epochs are raised by one; far ones keep their order. */
function rankEpochs(epochs: readonly number[]): ReadonlyMap<number, number> {
  const ranks = new Map<number, number>()
  const rising = [...new Set(epochs)].sort((a, b) => a - b)
  let rank = 0
  let before = rising[0] ?? 0
  for (const epoch of rising) {
    rank += Math.min(epoch - before, farEpoch)
    ranks.set(epoch, rank)
    before = epoch
  }
  return ranks
}

const farEpoch = 6

export function keyOf(state: State): string {
  const writer = new Writer(state)
  writer.write('arbiter', state.arbiter)
  writer.write('disk', state.disk)
  for (const name of nodeNames) writer.writeHost(state.hosts[name])
  for (const { name } of state.outages) writer.write('outage', name)
  for (const [way, held] of state.held) writer.writeHeld(way, held)
  writer.write('faults', state.faultsLeft)
  writer.write('given', state.given)
  writer.write('won', state.won)
  writer.write('overlap', state.overlapSteps)
  return writer.toString()
}

/** 53 bits of the key (cyrb53): of a million states two share one with a chance of 1 in 18 000. */
export function hashOf(key: string): number {
  let one = 0xdeadbeef
  let other = 0x41c6ce57
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    one = Math.imul(one ^ code, 2654435761)
    other = Math.imul(other ^ code, 1597334677)
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(other ^ (other >>> 13), 3266489909)
  other = Math.imul(other ^ (other >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909)
  return 4294967296 * (2097151 & other) + (one >>> 0)
}
