/** Whom this node hears: how long witness and peer have been silent, and whether the peer holds the lease. */
import type { Guard } from './state.ts'
import { type Turn, set } from './turn.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'
import { showsVip } from '../../../shared/core/vip-sighting.ts'
import type { Report } from '../../../shared/protocol/report.ts'

/** How long a voter has been silent. Silence from before this agent began to listen does not count. */
function silentForMs(guard: Guard, heardAtMs: number | null, atMs: number): number {
  return atMs - Math.max(heardAtMs ?? -Infinity, guard.listeningSinceMs)
}

export function witnessSilentForMs(guard: Guard, atMs: number): number {
  return silentForMs(guard, guard.witnessHeardAtMs, atMs)
}

export function witnessSilent(guard: Guard, atMs: number): boolean {
  return witnessSilentForMs(guard, atMs) >= silenceMs(guard.timing)
}

export function peerSilent(guard: Guard, atMs: number): boolean {
  return silentForMs(guard, guard.peerHeardAtMs, atMs) >= silenceMs(guard.timing)
}

/** Neither witness nor peer is heard. */
export function alone(guard: Guard, atMs: number): boolean {
  return witnessSilent(guard, atMs) && peerSilent(guard, atMs)
}

/** No voter is heard now, or none has been heard yet. */
export function hearsNobody(guard: Guard, atMs: number): boolean {
  return alone(guard, atMs) || !heardSomebody(guard)
}

/** Whether anybody was heard since this agent began to listen. */
export function heardSomebody(guard: Guard): boolean {
  return witnessHeardLately(guard) || (guard.peerHeardAtMs ?? -Infinity) >= guard.listeningSinceMs
}

/** Whether the witness was heard since this agent began to listen. */
export function witnessHeardLately({ witnessHeardAtMs, listeningSinceMs }: Guard): boolean {
  return (witnessHeardAtMs ?? -Infinity) >= listeningSinceMs
}

export function witnessNamesPeer(guard: Guard, atMs: number): boolean {
  return !witnessSilent(guard, atMs) && guard.peer !== null && guard.witnessWord?.holder === guard.peer
}

/**
 * What the peer reported lately; null: nothing. An agent that has started after a reboot answers at once, but its
 * heartbeats count only when the promise to the one before it is over. Until then the last report is of the old agent.
 */
export function freshPeerReport(
  { peerReport, peerReportedAtMs, timing }: Guard,
  atMs: number,
): Report | null {
  return atMs - peerReportedAtMs < silenceMs(timing) ? peerReport : null
}

/** As many answers as come in about three seconds. */
const roundTripsKept = 8

/** The peer has answered a heartbeat. */
export function notePeerRoundTrip(turn: Turn, tookMs: number): void {
  const { peerRoundTripsMs, candidacy, peer } = turn.guard
  // The second answer to one heartbeat: the ballot is on disk.
  if (peer !== null && candidacy?.pending.includes(peer) === true) return
  set(turn, { peerRoundTripsMs: [...peerRoundTripsMs, Math.max(0, tookMs)].slice(-roundTripsKept) })
}

/**
 * How much later than it happened this node may hear of what happens at the peer: a slow network or a busy host shows in
 * the answers before. At most `renewMs`, because slower answers keep no lease alive.
 */
export function peerNewsLagMs({ peerRoundTripsMs, timing }: Guard): number {
  return Math.min(Math.max(0, ...peerRoundTripsMs), timing.renewMs)
}

/**
 * Why no new lease can be won although somebody is heard: a disk takes no ballot, and so fewer than two of the three
 * votes can be given; null: that is not so.
 */
export function missingVotes(guard: Guard, atMs: number): string | null {
  const { peer, ballotFails, peerWritesFail, witnessWritesFail } = guard
  if (peer === null) return null
  const heardPeer = !peerSilent(guard, atMs)
  const heardWitness = !witnessSilent(guard, atMs)
  const failing = [
    ...(ballotFails ? ['the disk of this node takes no ballot'] : []),
    ...(heardPeer && peerWritesFail ? [`the disk of ${peer} takes no ballot`] : []),
    ...(heardWitness && witnessWritesFail ? ['the disk of the witness takes no ballot'] : []),
  ]
  const silent = [
    ...(heardPeer ? [] : [`${peer} is silent`]),
    ...(heardWitness ? [] : ['the witness is silent']),
  ]
  return failing.length > 0 && failing.length + silent.length >= 2
    ? [...failing, ...silent].join(' and ')
    : null
}

/** The peer holds the lease, according to this node's own promise to it or to a fresh answer of the witness. */
export function peerHolds(guard: Guard, atMs: number): boolean {
  return (
    (guard.peer !== null && promisedTo(guard.voter, atMs)?.node === guard.peer) ||
    witnessNamesPeer(guard, atMs)
  )
}

/**
 * The holder ought to send adverts: it does not report that it has no VIP and asks for no vote, as a node does that came
 * back with an old promise.
 */
export function peerOughtToAdvertise(guard: Guard, atMs: number): boolean {
  const report = freshPeerReport(guard, atMs)
  return peerHolds(guard, atMs) && (report?.ask !== null || showsVip(report))
}

/** Only the peer reaches the gateway, so the VIP is only useful there. */
export function hasLostGateway(guard: Guard, atMs: number): boolean {
  return guard.gateway === 'unreachable' && freshPeerReport(guard, atMs)?.gateway === 'reachable'
}
