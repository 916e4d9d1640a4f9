/**
 * Who is enrolled at this witness, on disk: `authority/registry.json`. Invites, joins and renewals are durable before
 * they are answered, so that a restart knows of every certificate that has left the witness. A removal counts at once.
 *
 * A registry that is lost or damaged is noticed and reported. Nodes with a certificate of this authority are then
 * accepted while their cluster has room, because losing a file must not take the witness's vote from healthy pairs. The
 * price, which is reported too, is that a node that had been removed can come back if its place is free.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { DurableFile, DurableFileError, type FileSystem } from '../../shared/disk/durable-file.ts'
import type { NodeIdentity } from '../../shared/identity/identity.ts'
import type { Member } from '../../shared/protocol/plan.ts'
import { admit, isAheadOf, move, remove, renew, rotate, use } from '../core/enrolment/admission.ts'
import {
  type Admission,
  type ChangeOutcome,
  type Enrolment,
  type Entry,
  type InviteRecord,
  type Moment,
  type NodeKey,
  type RedeemRefusal,
  type Refused,
  entryOf,
  firstEnrolment,
  inviteMs,
  membersOf,
} from '../core/enrolment/record.ts'
import { mayServeWith, settlePairs } from '../core/enrolment/former-pairs.ts'
import { enrolmentSchema } from './enrolment-schema.ts'
import { invite, redeem, whyNotRedeemed } from '../core/enrolment/invites.ts'

export interface RegistryOptions {
  /** `dataDir/authority` */
  readonly folder: string
  /** Whether the authority is older than this start; if so, a missing registry is a lost one. */
  readonly authorityWasThere: boolean
  readonly bootId: string
  /** Boot clock. */
  readonly nowMs: () => number
  /** The wall clock, for people, and for the age of certificates. */
  readonly now: () => Date
  /** A change that nobody waits for could not be made durable. */
  readonly onError: (error: DurableFileError) => void
  readonly fileSystem?: FileSystem
}

export type RegistryState =
  | { readonly kind: 'new' }
  | { readonly kind: 'valid' }
  | { readonly kind: 'lost'; readonly reason: string; readonly keptAs: string | null }

/**
 * The state after a change, and the result that is returned once that state is durable. If it is the same state,
 * nothing changes.
 */
interface Step<Result> {
  readonly enrolment: Enrolment
  readonly result: Result
}

export type Changed<Done, Reason extends string> = ({ readonly kind: 'done' } & Done) | Refused<Reason>

export type InviteResult = Changed<
  { readonly secret: string; readonly goodForMs: number },
  'cluster-full' | 'too-many'
>
export type RedeemResult = Changed<{ readonly generation: number }, RedeemRefusal>
export type RenewResult = Changed<
  { readonly generation: number },
  'unknown' | 'removed' | 'superseded' | 'too-soon'
>
export type ChangeResult = Changed<object, 'unknown' | 'removed'>

/**
 * A certificate this old is renewed when the node has time, so that a key that leaked unnoticed is of use for about
 * this long.
 */
const renewAfterMs = 30 * 24 * 3_600_000
/** The shortest pause between renewals of one node, because each costs a write and a signature. */
const shortestRenewalPauseMs = 2000

export function registryPathIn(folder: string): string {
  return join(folder, 'registry.json')
}

export class Registry {
  readonly state: RegistryState
  readonly #options: RegistryOptions
  readonly #file: DurableFile<Enrolment>
  readonly #listeners = new Set<(cluster: string) => void>()
  readonly #renewedAtMs = new Map<string, number>()
  #enrolment: Enrolment
  /** Writes are made one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(options: RegistryOptions, file: DurableFile<Enrolment>, state: RegistryState) {
    this.#options = options
    this.#file = file
    this.state = state
    this.#enrolment = file.found.kind === 'valid' ? file.found.data : firstEnrolment(state, options.now())
  }

  /** If it is new or lost and cannot be written, that is reported by `onError` and stops nothing. */
  static async open(options: RegistryOptions): Promise<Registry> {
    const { folder, nowMs, fileSystem } = options
    const file = new DurableFile<Enrolment>({
      path: registryPathIn(folder),
      format: 'keepalived-witness/registry/1',
      schema: enrolmentSchema,
      nowMs,
      ...(fileSystem && { fileSystem }),
    })
    await file.read()
    const registry = new Registry(options, file, stateOf(file, options))
    // From now on a missing one is noticed, and one that was lost stays known as lost.
    if (registry.state.kind !== 'valid') await registry.#writeInBackground()
    return registry
  }

  /** When the registry before this one was lost, ISO 8601; null: never. */
  get lostAt(): string | null {
    return this.#enrolment.lostAt
  }

  /** Every node that was ever enrolled, removed ones included. */
  get entries(): readonly Entry[] {
    return this.#enrolment.entries
  }

  /** Clusters with at least one node. */
  get clusters(): readonly string[] {
    return [...new Set(this.entries.filter(({ removed }) => !removed).map(({ cluster }) => cluster))]
  }

  /** Invites that can still be used. */
  get openInvites(): readonly { cluster: string; node: string; endsInMs: number }[] {
    const { bootId, nowMs } = this.#options
    const atMs = nowMs()
    return this.#enrolment.invites
      .filter((one) => one.spent === null && one.bootId === bootId && atMs < one.endsAtMs)
      .map(({ cluster, node, endsAtMs }) => ({ cluster, node, endsInMs: endsAtMs - atMs }))
  }

  members(cluster: string): readonly Member[] {
    return membersOf(this.#enrolment, cluster)
  }

  /**
   * Whether a node whose certificate TLS has verified may connect now. To be asked at each connection and after each
   * change.
   */
  mayConnect(identity: NodeIdentity): Admission {
    return admit(this.#enrolment, identity)
  }

  /** Whether the node should be asked for a new key: its certificate is old, or the admin wants another. */
  renewalDue(identity: NodeIdentity): boolean {
    const entry = entryOf(this.#enrolment, identity)
    if (entry === null || entry.removed) return false
    if (entry.rotateAbove !== null && identity.generation <= entry.rotateAbove) return true
    return this.#options.now().getTime() - Date.parse(entry.renewedAt) > renewAfterMs
  }

  /** @param listener called after each change with the cluster whose nodes or certificates have changed */
  onChange(listener: (cluster: string) => void): void {
    this.#listeners.add(listener)
  }

  /**
   * Records that a node uses a valid certificate, which ends those before it.
   * @param at where its agent listens, for a node that a lost registry does not know
   * @returns what is new about it; the registry is written in the background
   */
  sawInUse(identity: NodeIdentity, at: { address: string; port: number }): 'known' | 'adopted' | 'ahead' {
    const before = this.#enrolment
    const change = (enrolment: Enrolment): Enrolment =>
      use(enrolment, { identity, ...at, at: this.#moment().at })
    if (change(before) === before) return 'known'
    this.#changeInBackground(change, identity.cluster)
    if (entryOf(before, identity) === null) return 'adopted'
    return isAheadOf(before, identity) ? 'ahead' : 'known'
  }

  /** Records where a node's peer reaches it from now on; written in the background. */
  move(cluster: string, to: { node: string; address: string; port: number }): void {
    this.#changeInBackground((enrolment) => move(enrolment, { cluster, ...to }), cluster)
  }

  /** @throws DurableFileError if it cannot be written; nobody has the secret then */
  invite(key: NodeKey): Promise<InviteResult> {
    const secret = randomBytes(16).toString('base64url')
    const secretHash = hashOf(secret).toString('hex')
    return this.#change(
      (before): Step<InviteResult> => {
        const outcome = invite(before, { ...key, secretHash, moment: this.#moment() })
        if (outcome.kind === 'refused') return { enrolment: before, result: outcome }
        return { enrolment: outcome.enrolment, result: { kind: 'done', secret, goodForMs: inviteMs } }
      },
      null,
      'when durable',
    )
  }

  /** Why an invite would not be accepted now; null: it would be. It may be answered differently later. */
  whyNotRedeemed(key: NodeKey & { secret: string }): Refused<RedeemRefusal> | null {
    const invite = this.#findInvite(this.#enrolment, key.secret)
    return whyNotRedeemed(this.#enrolment, { ...key, invite, moment: this.#moment() })
  }

  /**
   * Uses the invite: the node is enrolled, and the invite is used up, before this settles.
   * @throws DurableFileError when it cannot be kept: then nothing has changed
   */
  redeem(options: NodeKey & { secret: string; address: string; port: number }): Promise<RedeemResult> {
    return this.#change(
      (before): Step<RedeemResult> => {
        const outcome = redeem(before, {
          ...options,
          invite: this.#findInvite(before, options.secret),
          moment: this.#moment(),
        })
        if (outcome.kind === 'refused') return { enrolment: before, result: outcome }
        const { enrolment, generation } = outcome
        return { enrolment, result: { kind: 'done', generation } }
      },
      options.cluster,
      'when durable',
    )
  }

  /** @throws DurableFileError when it cannot be kept: then nothing has changed */
  async renew(identity: NodeIdentity): Promise<RenewResult> {
    const name = `${identity.cluster}/${identity.node}`
    const atMs = this.#options.nowMs()
    const renewedAtMs = this.#renewedAtMs.get(name)
    if (renewedAtMs !== undefined && atMs - renewedAtMs < shortestRenewalPauseMs)
      return {
        kind: 'refused',
        reason: 'too-soon',
        text: `${name} has just renewed its certificate; try again later`,
      }
    return this.#change(
      (before): Step<RenewResult> => {
        const outcome = renew(before, { identity, at: this.#moment().at })
        if (outcome.kind === 'refused') return { enrolment: before, result: outcome }
        this.#renewedAtMs.set(name, atMs)
        const { enrolment, generation } = outcome
        return { enrolment, result: { kind: 'done', generation } }
      },
      identity.cluster,
      'when durable',
    )
  }

  /**
   * Removes a node. Its certificate is refused from now on, even if the disk fails.
   * @param isOff hosts that are off, by the operator's word
   * @throws DurableFileError when it cannot be kept: then a restart of the witness would forget the removal
   */
  remove(key: NodeKey, isOff: readonly string[] = []): Promise<ChangeResult> {
    return this.#changeNode(
      key,
      (before) => remove(before, { ...key, isOff, at: this.#moment().at }),
      'at once',
    )
  }

  /** Nobody serves any more with a node that the plan of these members does not have; written in the background. */
  planSettled(cluster: string, settled: { node: string; members: readonly string[] }): void {
    this.#changeInBackground((enrolment) => settlePairs(enrolment, { cluster, ...settled }), null)
  }

  /** With whom a node that was removed may still serve, as far as this witness can tell. */
  mayServeWith(key: NodeKey): readonly string[] {
    return mayServeWith(this.#enrolment, key)
  }

  /** @throws DurableFileError when it cannot be kept: then nothing has changed */
  rotate(key: NodeKey): Promise<ChangeResult> {
    return this.#changeNode(key, (before) => rotate(before, key), 'when durable')
  }

  /** Settles when every change so far is durable, or could not be. */
  async flush(): Promise<void> {
    await this.#last.catch(() => undefined)
  }

  #changeNode(
    key: NodeKey,
    change: (before: Enrolment) => ChangeOutcome,
    counts: 'at once' | 'when durable',
  ): Promise<ChangeResult> {
    return this.#change(
      (before): Step<ChangeResult> => {
        const outcome = change(before)
        if (outcome.kind === 'refused') return { enrolment: before, result: outcome }
        return { enrolment: outcome.enrolment, result: { kind: 'done' } }
      },
      key.cluster,
      counts,
    )
  }

  #change<Result>(
    step: (before: Enrolment) => Step<Result>,
    cluster: string | null,
    counts: 'at once' | 'when durable',
  ): Promise<Result> {
    if (counts === 'when durable') return this.#queue(() => this.#changeWhenDurable(step, cluster))
    // It takes effect even while the disk hangs with an earlier change.
    const { enrolment, result } = step(this.#enrolment)
    if (enrolment === this.#enrolment) return Promise.resolve(result)
    this.#adopt(enrolment, cluster)
    return this.#queue(async () => {
      await this.#file.write(this.#enrolment)
      return result
    })
  }

  #changeInBackground(change: (before: Enrolment) => Enrolment, cluster: string | null): void {
    const step = (before: Enrolment): Step<null> => ({ enrolment: change(before), result: null })
    void this.#change(step, cluster, 'at once').catch((error: unknown) => this.#tell(error))
  }

  async #changeWhenDurable<Result>(
    step: (before: Enrolment) => Step<Result>,
    cluster: string | null,
  ): Promise<Result> {
    for (;;) {
      const before = this.#enrolment
      const { enrolment, result } = step(before)
      if (enrolment === before) return result
      await this.#file.write(enrolment)
      if (this.#enrolment === before) {
        this.#adopt(enrolment, cluster)
        return result
      }
      // Another change took effect in the meantime, so the step is repeated from there.
    }
  }

  #queue<Result>(write: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(write, write)
    this.#last = done.catch(() => undefined)
    return done
  }

  #adopt(enrolment: Enrolment, cluster: string | null): void {
    this.#enrolment = enrolment
    if (cluster !== null) for (const listener of this.#listeners) listener(cluster)
  }

  async #writeInBackground(): Promise<void> {
    try {
      await this.#file.write(this.#enrolment)
    } catch (error) {
      this.#tell(error)
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof DurableFileError)) throw error
    this.#options.onError(error)
  }

  /** Looks at every invite, and at each for the same time, so that the time reveals nothing. */
  #findInvite({ invites }: Enrolment, secret: string): InviteRecord | null {
    const hash = hashOf(secret)
    let found: InviteRecord | null = null
    for (const one of invites) if (timingSafeEqual(Buffer.from(one.secretHash, 'hex'), hash)) found = one
    return found
  }

  #moment(): Moment {
    const { bootId, nowMs, now } = this.#options
    return { bootId, atMs: nowMs(), at: now().toISOString() }
  }
}

function stateOf(
  { found }: DurableFile<Enrolment>,
  { folder, authorityWasThere }: RegistryOptions,
): RegistryState {
  switch (found.kind) {
    case 'valid':
      return { kind: 'valid' }
    case 'torn':
      return { kind: 'lost', reason: found.reason, keptAs: found.keptAs }
    case 'missing':
      return authorityWasThere
        ? { kind: 'lost', reason: `${registryPathIn(folder)} is missing`, keptAs: null }
        : { kind: 'new' }
  }
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
