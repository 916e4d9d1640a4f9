/** The fence: rung by rung until the VIP is provably gone. Pure. */
import { type Turn, set, tell } from '../turn.ts'
import type { Phase } from '../phase.ts'
import { climb } from '../fence-ladder.ts'
import { fencePolicy } from '../fence-policy.ts'
import { giveBackOwnVote } from '../candidate.ts'
import { enterFenced, release, toClaimant } from '../transitions.ts'
import { noteCleared } from '../foreign-vip.ts'
import { noteFenceInDrill } from '../drill-notes.ts'
import { rememberStopped } from '../fence-history.ts'
import { assertNever } from '../../../../shared/assert-never.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import type { GuardEvent } from '../event.ts'

export function stepFencing(turn: Turn, phase: Phase & { name: 'fencing' }): void {
  const { guard, atMs, commandFailed } = turn
  turn.commandFailed = false
  // The VIP is of a keepalived that began after the fence did, so it is nobody's orphan.
  if (phase.orphan && guard.seen.process !== 'absent') return toClaimant(turn)
  const next = climb(phase.ladder, guard.seen, {
    atMs,
    policy: fencePolicy(guard, phase.gentle),
    commandFailed,
  })
  const { ladder } = next
  const tookMs = Math.round(atMs - ladder.startedAtMs)
  set(turn, { phase: { ...phase, ladder } })
  switch (next.type) {
    case 'wait':
      return
    case 'proved':
      noteFence(turn, { result: 'proved', rung: ladder.rung, tookMs })
      noteCleared(turn)
      noteFenceInDrill(turn, { ladder, proved: true })
      giveBackOwnVote(turn)
      turn.effects.push({ type: 'beat' })
      tell(
        turn,
        'fenced',
        'warning',
        `The VIP was released after ${tookMs} ms (fence step "${ladder.rung}"), as the kernel's address list proves; keepalived is ${guard.seen.process === 'absent' ? 'gone' : guard.seen.keepalived}. Reason: ${phase.reason}.`,
      )
      return stepFencing(turn, { ...phase, ladder })
    case 'climb':
      if (guard.seen.process !== 'absent' || (phase.wasAlive && ladder.provedAtMs === null))
        rememberStopped(turn, true)
      if (ladder.provedAtMs === null) noteFenceInDrill(turn, { ladder: phase.ladder, proved: false })
      // A bar that worked, however late, is followed by the stop command all the same (fence: stop).
      if (
        atMs >= phase.ladder.deadlineMs &&
        next.to !== phase.ladder.rung &&
        !(phase.ladder.rung === 'bar' && ladder.provedAtMs !== null)
      )
        tell(
          turn,
          'fence-climbs',
          'warning',
          `Fence step "${phase.ladder.rung}" did not take effect within ${tookMs} ms (VIP ${guard.seen.vips}, keepalived ${guard.seen.process}); the next step is "${next.to}".`,
        )
      turn.effects.push({
        type: 'fence',
        rung: next.to,
        ...(next.to === 'kill' && sparesTheLiving(turn, phase) ? { spares: true } : {}),
      })
      return
    case 'failed':
      noteFence(turn, { result: 'failed', rung: ladder.rung, tookMs })
      turn.effects.push({ type: 'beat' })
      tell(
        turn,
        'fence-failed',
        'critical',
        `The VIP is STILL on this node ${tookMs} ms after the fence began (${guard.profile.vips.join(', ')}; keepalived ${guard.seen.keepalived}, process ${guard.seen.process}). Remove it with "ip addr del" or power this host off. Reason: ${phase.reason}.`,
      )
      return stepFencing(turn, { ...phase, ladder })
    case 'done':
      return ladder.provedBy === 'kill' && !guard.memory.stopped
        ? release(turn)
        : enterFenced(turn, phase.reason, {
            startFailed: false,
            drill: guard.drill !== null || guard.memory.drilling === true,
          })
    default:
      return assertNever(next)
  }
}

/** Nobody would start a keepalived again that has come to life since this agent last looked. */
function sparesTheLiving({ guard }: Turn, phase: Phase & { name: 'fencing' }): boolean {
  return guard.seen.process === 'absent' && !phase.wasAlive
}

function noteFence(
  turn: Turn,
  outcome: Pick<NonNullable<Report['fence']>, 'result' | 'rung' | 'tookMs'>,
): void {
  const { lastFence } = turn.guard
  if (lastFence !== null) set(turn, { lastFence: { ...lastFence, ...outcome } })
}

export function bookRungEnded(turn: Turn, event: GuardEvent & { type: 'rung-ended' }): void {
  const { phase } = turn.guard
  if (event.error === null || phase.name !== 'fencing') return
  turn.commandFailed = event.rung === phase.ladder.rung
  // It is repeated until the VIP is gone, and reported once.
  if (phase.failedRungs.includes(event.rung)) return
  set(turn, { phase: { ...phase, failedRungs: [...phase.failedRungs, event.rung] } })
  tell(turn, 'fence-rung-failed', 'warning', `Fence step "${event.rung}" failed: ${event.error}`)
}
