/** The short words of the tables: instants as `+ms` from the moment of the event, a ballot as `node#epoch`. */
import type { Guard, GuardEffect } from '../../agent/core/guard/guard.ts'
import { assertNever } from '../../shared/assert-never.ts'
import type { FromVoter, Vote } from '../../shared/protocol/messages.ts'
import type { Ballot, Mark, Pledge, VoteEffect } from '../../shared/core/vote/voter.ts'
import type { ArbiterEffect } from '../../server/core/arbiter/arbiter.ts'

/** In the guard's tables lb01 is the node itself. */
export const own = 'lb01'

function guardName(node: string): string {
  return node === own ? 'own' : 'peer'
}

/** When the turn was that gave an effect, and the highest epoch that was known before it. */
export interface Since {
  readonly atMs: number
  readonly epoch: number
}

/** `e` is the highest epoch that was known when the event came. */
export function epochWord(epoch: number, { epoch: known }: Pick<Since, 'epoch'>): string {
  return epoch === known ? 'e' : epoch > known ? `e+${epoch - known}` : `e-${known - epoch}`
}

function markWord({ epoch, untilMs }: Mark, since: Since): string {
  return `mark ${epochWord(epoch, since)} ${untilMs === 0 ? 'void' : `+${untilMs - since.atMs}`}`
}

function ballotWord({ to, epoch, standing }: Ballot, since: Since): string {
  return `record ${to} ${epochWord(epoch, since)}${standing === true ? ' standing' : ''}`
}

/** @param name what the table calls a node */
export function voteEffectWord(
  effect: VoteEffect,
  since: Since,
  name = (node: string): string => node,
): string {
  if (effect.type === 'mark') return markWord(effect.mark, since)
  return ballotWord({ ...effect.ballot, to: name(effect.ballot.to) }, since)
}

/** Whose the vote is; instants and epochs change with each renewal and are said elsewhere. */
export function pledgeWord(pledge: Pledge): string {
  switch (pledge.phase) {
    case 'free':
      return 'free'
    case 'waiting':
      return 'waiting'
    case 'recording':
      return `recording ${pledge.ballot.to}`
    case 'promised':
    case 'standing':
      return `${pledge.phase} ${pledge.to}`
    default:
      return assertNever(pledge)
  }
}

/** null: no vote was asked for, which is not worth a word. */
function voteWord(vote: Vote, since: Since): string | null {
  switch (vote.kind) {
    case 'none':
      return null
    case 'granted':
    case 'pending':
      return `${vote.kind} ${epochWord(vote.epoch, since)}`
    case 'refused':
      return `refused: ${vote.reason}`
    default:
      return assertNever(vote)
  }
}

const levelMarks = { info: '', warning: '!', critical: '!!' } as const

/** When the turn was that gave the effect, and the highest epoch that the node knew of before. */
export interface Since {
  readonly atMs: number
  readonly epoch: number
}

/** null: not worth a word. */
export function guardEffectWord(effect: GuardEffect, since: Since): string | null {
  const { atMs } = since
  switch (effect.type) {
    case 'bar':
      return effect.on ? 'BAR' : 'UNBAR'
    case 'permit':
      return `check: ${effect.word} +${effect.untilMs - atMs}`
    case 'record':
    case 'mark':
      return voteEffectWord(effect, since, guardName)
    case 'answer-peer': {
      const { vote, returnsVote, countsVote } = effect.verdict
      const words = [
        voteWord(vote, since),
        returnsVote === undefined ? null : 'its vote back',
        countsVote === undefined ? null : 'its vote counts',
      ].filter((word) => word !== null)
      return words.length === 0 ? null : `to peer: ${words.join(', ')}`
    }
    case 'try-disk':
      return 'try the disk'
    case 'beat':
      return 'beat'
    case 'fence':
      return `FENCE ${effect.rung}${effect.spares === true ? ', but nobody that lives' : ''}`
    case 'start-keepalived':
      return 'START keepalived'
    case 'announce':
      return 'ANNOUNCE'
    case 'count-adverts':
      return 'count adverts'
    case 'remember':
      return effect.memory.stopped ? 'remember: stopped' : 'remember'
    case 'keep-vote':
      return effect.kept === null ? 'forget the vote of peer' : 'keep the vote of peer'
    case 'vote-left':
      return effect.on ? 'check: vote left' : 'check: vote back'
    case 'remember-first':
      return 'remember first: drill'
    case 'arm':
      return 'ARM'
    case 'find-origin':
      return 'find origin'
    case 'drilled':
      return `DRILLED: ${effect.drilled.result}`
    case 'tell':
      return `"${effect.event}"${levelMarks[effect.level]}`
    default:
      return assertNever(effect)
  }
}

/** The phase with what tells its kinds apart. */
export function phaseWord({ phase }: Guard): string {
  switch (phase.name) {
    case 'standby':
    case 'holding':
    case 'unprotected':
    case 'overruled':
    case 'rejoining':
    case 'fenced':
    case 'gated':
    case 'applying':
    case 'entitled':
      return phase.name
    case 'probation':
      return `probation${phase.counting ? ', counting' : ''}`
    case 'barred':
      return `barred: ${phase.cause.kind}`
    case 'claiming':
      return `claiming${phase.handover ? ': handover' : phase.adopts ? ': adopts' : ''}`
    case 'fencing':
      return `fencing: ${phase.ladder.rung}${phase.ladder.failed ? ', failed' : phase.ladder.provedAtMs === null ? '' : ', proved'}`
    case 'drilling':
      return `drilling: ${phase.returning === null ? phase.ladder.rung : 'returning'}${phase.failure === null ? '' : ', failed'}`
    default:
      return assertNever(phase)
  }
}

/** @param to the node behind a connection */
export function arbiterEffectWord(
  effect: ArbiterEffect,
  since: Since,
  to: (connection: number) => string,
): string | null {
  switch (effect.type) {
    case 'send': {
      const word = messageWord(effect.message, since)
      return word === null ? null : `to ${to(effect.connection)}: ${word}`
    }
    case 'close':
      return `close ${to(effect.connection)}`
    case 'record':
    case 'mark':
      return voteEffectWord(effect, since)
    case 'try-ledger':
      return 'try the ledger'
    case 'answer-check':
      return `check: ${effect.permit ? 'yes' : 'no'}`
    case 'answer-drill':
      return `drill: ${effect.answer.kind}`
    case 'keep-drill':
      return 'keep drill'
    case 'occurred': {
      const { event, level } = effect.occurrence
      return `"${event.replace('situation.', '')}"${levelMarks[level]}`
    }
    case 'moved':
      return `moved ${effect.node}`
    case 'plan-settled':
      return `plan settled ${effect.node}`
    default:
      return assertNever(effect)
  }
}

function messageWord(message: FromVoter, since: Since): string | null {
  switch (message.type) {
    case 'welcome':
    case 'plan':
    case 'renew':
    case 'superseded':
      return message.type
    case 'order':
      return `ORDER ${message.what}`
    case 'answer': {
      const words = message.verdicts.map(({ vote }) => voteWord(vote, since)).filter((word) => word !== null)
      return words.length === 0 ? null : words.join(', ')
    }
    default:
      return assertNever(message)
  }
}
