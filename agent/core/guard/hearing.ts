/** Whom this node hears: how long witness and peer have been silent, and what each of them said last. */
import type { Guard } from './state.ts'
import { silenceMs } from '../../../shared/core/timing.ts'
import { promisedTo } from '../../../shared/core/vote/voter.ts'

/** How long nobody was heard there; silence from before this agent listened does not count. */
function silentForMs(guard: Guard, heardAtMs: number | null, atMs: number): number {
  return atMs - Math.max(heardAtMs ?? -Infinity, guard.listeningSinceMs)
}

export function witnessSilent(guard: Guard, atMs: number): boolean {
  return silentForMs(guard, guard.witnessHeardAtMs, atMs) >= silenceMs(guard.timing)
}

export function peerSilent(guard: Guard, atMs: number): boolean {
  return silentForMs(guard, guard.peerHeardAtMs, atMs) >= silenceMs(guard.timing)
}

/** Neither witness nor peer is heard. */
export function alone(guard: Guard, atMs: number): boolean {
  return witnessSilent(guard, atMs) && peerSilent(guard, atMs)
}

/** Nobody is heard, or nobody has been heard yet. */
export function hearsNobody(guard: Guard, atMs: number): boolean {
  return alone(guard, atMs) || !heardSomebody(guard)
}

/** Whether anybody was heard since this agent began to listen. */
export function heardSomebody(guard: Guard): boolean {
  return (
    (guard.witnessHeardAtMs ?? -Infinity) >= guard.listeningSinceMs ||
    (guard.peerHeardAtMs ?? -Infinity) >= guard.listeningSinceMs
  )
}

export function witnessNamesPeer(guard: Guard, atMs: number): boolean {
  return !witnessSilent(guard, atMs) && guard.peer !== null && guard.witnessWord?.holder === guard.peer
}

/** The peer holds the lease, by this node's own promise to it or by the witness's fresh word. */
export function peerHolds(guard: Guard, atMs: number): boolean {
  return (
    (guard.peer !== null && promisedTo(guard.voter, atMs)?.node === guard.peer) ||
    witnessNamesPeer(guard, atMs)
  )
}

/** The peer reaches the gateway and this node does not: the VIP is of use there only. */
export function hasLostGateway({ gateway, peerReport }: Guard): boolean {
  return gateway === 'unreachable' && peerReport?.gateway === 'reachable'
}
