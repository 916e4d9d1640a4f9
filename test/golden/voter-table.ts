/** What one voter does with its vote (shared/core/vote/voter.ts): each pledge against each request and each turn of its disk. */
import assert from 'node:assert/strict'
import { defaultTiming } from '../../shared/core/timing.ts'
import { askVote, ballotLost, ballotRecorded, releaseVote } from '../../shared/core/vote/ask.ts'
import { distrustLedger, recoverVoter } from '../../shared/core/vote/recovery.ts'
import {
  type Ballot,
  type Mark,
  type RecoveredBallot,
  type VoteEffect,
  type VoteResult,
  type Voter,
  expireVote,
} from '../../shared/core/vote/voter.ts'
import { pledgeWord, voteEffectWord, type Since } from './notation.ts'
import type { Group, Outcome } from './table.ts'

const timing = defaultTiming
const { leaseMs, reserveMs } = timing
const startMs = 1_000_000

/** A voter with what its shell would have on disk. */
interface Scene {
  voter: Voter
  atMs: number
  ballot: Ballot | null
  mark: Mark | null
}

/** A voter that is far from any start, and whose vote was never given. */
function fresh(): Scene {
  const recovered = recoverVoter(
    { kind: 'valid', ballot: null, mark: null },
    { atMs: startMs - reserveMs, reserveMs },
  )
  return { voter: expireVote(recovered, startMs), atMs: startMs, ballot: null, mark: null }
}

function ask(scene: Scene, from: string, epoch: number, askedMs = leaseMs): VoteResult {
  return take(scene, askVote(scene.voter, { from, epoch, leaseMs: askedMs, atMs: scene.atMs }, timing))
}

function take<T extends { voter: Voter; effects: readonly VoteEffect[] }>(scene: Scene, result: T): T {
  scene.voter = result.voter
  for (const effect of result.effects) if (effect.type === 'mark') scene.mark = effect.mark
  return result
}

function written(scene: Scene): VoteResult | null {
  const { pledge } = scene.voter
  assert.ok(pledge.phase === 'recording')
  return recorded(scene, pledge.ballot)
}

function recorded(scene: Scene, ballot: Ballot): VoteResult | null {
  scene.ballot = ballot
  const result = ballotRecorded(scene.voter, ballot, { atMs: scene.atMs, timing })
  return result === null ? null : take(scene, result)
}

function promisedToA(): Scene {
  const scene = fresh()
  ask(scene, 'A', 5)
  written(scene)
  scene.atMs += 100
  return scene
}

function restart(scene: Scene, found: RecoveredBallot): void {
  scene.voter = recoverVoter(found, { atMs: scene.atMs, reserveMs })
}

const situations: Readonly<Record<string, () => Scene>> = {
  new: fresh,
  free: () => {
    const scene = promisedToA()
    take(scene, releaseVote(scene.voter, 'A'))
    return scene
  },
  recording: () => {
    const scene = fresh()
    ask(scene, 'A', 5)
    return scene
  },
  raising: () => {
    const scene = promisedToA()
    ask(scene, 'A', 6)
    return scene
  },
  promised: promisedToA,
  waiting: () => {
    const scene = promisedToA()
    restart(scene, { kind: 'valid', ballot: scene.ballot, mark: null })
    return scene
  },
  lost: () => {
    const scene = promisedToA()
    restart(scene, { kind: 'lost' })
    return scene
  },
}

type Done = VoteResult | { readonly effects: readonly VoteEffect[] } | null

const events: Readonly<Record<string, (scene: Scene) => Done>> = {
  'A asks under e': (scene) => ask(scene, 'A', scene.voter.epoch),
  'A asks under e+1': (scene) => ask(scene, 'A', scene.voter.epoch + 1),
  'B asks under e': (scene) => ask(scene, 'B', scene.voter.epoch),
  'B asks under e+1': (scene) => ask(scene, 'B', scene.voter.epoch + 1),
  'A asks for a longer lease': (scene) => ask(scene, 'A', scene.voter.epoch + 1, reserveMs),
  'A gives it back': (scene) => take(scene, releaseVote(scene.voter, 'A')),
  'B gives it back': (scene) => take(scene, releaseVote(scene.voter, 'B')),
  'its ballot is on disk': (scene) => (scene.voter.pledge.phase === 'recording' ? written(scene) : null),
  'an old ballot is on disk': (scene) => recorded(scene, { to: 'B', epoch: 4 }),
  'its ballot cannot be written': (scene) => {
    const { pledge } = scene.voter
    if (pledge.phase === 'recording') scene.voter = ballotLost(scene.voter, pledge.ballot)
    return null
  },
  'T_g passes': (scene) => {
    scene.atMs += reserveMs
    scene.voter = expireVote(scene.voter, scene.atMs)
    return null
  },
  'restarts with ledger and mark': (scene) => {
    restart(scene, { kind: 'valid', ballot: scene.ballot, mark: scene.mark })
    return null
  },
  'restarts without mark (reboot)': (scene) => {
    restart(scene, { kind: 'valid', ballot: scene.ballot, mark: null })
    return null
  },
  'restarts, ledger lost': (scene) => {
    restart(scene, { kind: 'lost' })
    return null
  },
  'restarts, ledger older than mark': (scene) => {
    restart(scene, { kind: 'valid', ballot: null, mark: scene.mark })
    return null
  },
  'an agent was granted e+4 here': (scene) =>
    take(
      scene,
      distrustLedger(scene.voter, { seenEpoch: scene.voter.epoch + 4, atMs: scene.atMs, reserveMs }),
    ),
}

/** Whose the vote is, and which epoch is the highest known. */
function stateWord({ voter, atMs }: Scene, since: Pick<Since, 'epoch'>): string {
  const { pledge } = voter
  const left = pledge.phase === 'waiting' ? ` +${pledge.untilMs - atMs}` : ''
  const bound =
    pledge.phase === 'recording' && pledge.boundUntilMs > atMs ? `, bound +${pledge.boundUntilMs - atMs}` : ''
  // A step up shows in the ballot; a jump is a decision of its own.
  const jumps = voter.epoch - since.epoch > 100 ? ' #e+1000' : ''
  return `${pledgeWord(pledge)}${left}${bound}${jumps}`
}

function outcomeOf(build: () => Scene, event: (scene: Scene) => Done): Outcome | null {
  const scene = build()
  const before = scene.voter
  const done = event(scene)
  const since = { atMs: scene.atMs, epoch: before.epoch }
  const answer = done !== null && 'decision' in done ? [answerWord(done)] : []
  const effects = [...(done?.effects ?? []).map((effect) => voteEffectWord(effect, since)), ...answer]
  const same = JSON.stringify(before) === JSON.stringify(scene.voter)
  if (same && effects.length === 0) return null
  return { becomes: same ? '' : stateWord(scene, since), effects }
}

function answerWord({ decision }: VoteResult): string {
  return decision.kind === 'refused' ? `refused: ${decision.reason}` : decision.kind
}

export function voterGroups(): Group[] {
  const cells = Object.entries(situations).flatMap(([situation, build]) =>
    Object.entries(events).map(([event, play]) => ({ situation, event, outcome: outcomeOf(build, play) })),
  )
  return [
    {
      title: 'One voter',
      about:
        'new: its vote was never given. free: A had it, and gave it back. recording: A’s first ballot is being written. raising: A has it, and a ballot for A under a higher epoch is being written. promised: A has it, renewed 100 ms ago. waiting: restarted without its mark while A had it. lost: restarted, and its ledger was lost.',
      situations: Object.keys(situations),
      cells,
    },
  ]
}
