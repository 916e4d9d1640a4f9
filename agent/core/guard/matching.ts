/**
 * Whether it can be told which instance of the peer this guard's is (shared/core/instance-pairing.ts). Where it cannot,
 * neither the peer nor the witness votes for it, and that is no fault of this node. So until the configurations fit
 * again the guard enforces nothing, as before it was armed, and everybody is told. Pure.
 */
import type { Guard, Unmatched } from './state.ts'
import type { NodeName } from '../../../shared/protocol/names.ts'
import { differs } from '../../../shared/core/differs.ts'
import { peerName } from './own-lease.ts'
import { type Turn, set, tell } from './turn.ts'

export function isUnmatched({ unmatched }: Guard): boolean {
  return unmatched.peer || unmatched.witness
}

/** What was said of another peer means nothing for this one. */
export function unmatchedWith({ peer: before, unmatched }: Guard, peer: NodeName | null): Unmatched {
  return peer === before ? unmatched : { peer: false, witness: false }
}

/** Why nothing is enforced, for the operator. */
export function unmatchedText(guard: Guard): string {
  return `it cannot be told which instance of ${peerName(guard)} ${guard.profile.instance} is, so nothing is fenced and nothing is barred`
}

/**
 * The hello of the peer, or keepalived.conf of this node, is newer than what the witness last said of them. If the
 * witness still cannot tell, its next answer says so.
 */
export function bookPeerMatch(turn: Turn, isMatched: boolean): void {
  note(turn, { peer: !isMatched, witness: isMatched ? false : turn.guard.unmatched.witness })
}

export function bookWitnessMatch(turn: Turn, isMatched: boolean): void {
  note(turn, { ...turn.guard.unmatched, witness: !isMatched })
}

function note(turn: Turn, unmatched: Unmatched): void {
  const before = isUnmatched(turn.guard)
  if (differs(turn.guard.unmatched, unmatched)) set(turn, { unmatched })
  const { guard } = turn
  const now = isUnmatched(guard)
  if (now === before) return
  const { instance } = guard.profile
  if (now)
    return tell(
      turn,
      'unmatched',
      'critical',
      `keepalived works as without this product for ${instance}, because ${unmatchedText(guard)}. Give both nodes the same virtual_router_id and the same virtual_ipaddress in each vrrp_instance, and reload keepalived.`,
    )
  const then = guard.armed ? 'protects it again' : 'goes on watching'
  tell(
    turn,
    'matched',
    'info',
    `It can be told again which instance of ${peerName(guard)} ${instance} is, so this node ${then}.`,
  )
}
