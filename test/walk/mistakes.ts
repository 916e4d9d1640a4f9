/** Mistakes that the walk must find, each with the least that leads to it. */
import type { SourceMutation } from '../mutants/mutate-source.ts'

export interface Mistake {
  readonly name: string
  readonly mutation: SourceMutation
  readonly faults: number
  /** The faults that may come, by words of their names. */
  readonly only: readonly string[]
  readonly from: 'start' | 'steady'
  /** What the walk says of it. */
  readonly finds: RegExp
}

const whilePromised = /voter: lb02 promises itself to lb02 .* while its promise to lb01 is good/
const whileVoteLeft =
  /voter: lb02 promises itself to lb02 .* while lb01 counts on the vote that lb02 left there/

export const mistakes: readonly Mistake[] = [
  {
    name: 'a vote counts from when the answer came, and not from when its request left',
    mutation: {
      file: 'agent/core/guard/events/answers.ts',
      from: 'withGrant(candidacy, from, sentAtMs)',
      to: 'withGrant(candidacy, from, atMs)',
    },
    faults: 3,
    only: ['hold witness>lb01', 'isolate lb01', 'promote lb02'],
    from: 'steady',
    finds: /S1: both have a lease/,
  },
  {
    name: 'a process that restarts does not wait for the promise that its mark tells of',
    mutation: {
      file: 'shared/core/vote/recovery.ts',
      from: "return { ...recovered, pledge: { phase: 'waiting', untilMs: mark.untilMs } }",
      to: "return { ...recovered, pledge: { phase: 'free' } }",
    },
    faults: 2,
    only: ['crash the agent', 'promote'],
    from: 'steady',
    finds: whilePromised,
  },
  {
    name: 'a host that boots, and has lost its marks, does not wait',
    mutation: {
      file: 'shared/core/vote/recovery.ts',
      from: "const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs + at.reserveMs }",
      to: "const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs }",
    },
    faults: 2,
    only: ['power lb', 'promote'],
    from: 'steady',
    finds: whilePromised,
  },
  {
    name: 'a vote that was left is free again after a restart',
    mutation: {
      file: 'shared/core/vote/recovery.ts',
      from: 'if (ballot?.standing === true)\n    return {',
      to: 'if (ballot?.standing === true && ballot.epoch < 0)\n    return {',
    },
    faults: 2,
    only: ['shut lb02 down', 'isolate lb01'],
    from: 'steady',
    finds: whileVoteLeft,
  },
  {
    name: 'a vote that was handed back stays on the disk of the holder',
    mutation: {
      file: 'agent/core/guard/events/standing.ts',
      from: "  set(turn, { kept: { phase: 'forgetting', ballot, sinceMs, counts } })\n  turn.effects.push({ type: 'keep-vote', kept: null })",
      to: "  set(turn, { kept: { phase: 'none' } })\n  if (counts && sinceMs < 0 && ballot.epoch < 0) turn.effects.push({ type: 'keep-vote', kept: null })",
    },
    faults: 2,
    only: ['shut lb02 down', 'power lb01 off'],
    from: 'steady',
    finds: whileVoteLeft,
  },
  {
    name: 'a promised vote is given to another that asks',
    mutation: {
      file: 'shared/core/vote/ask.ts',
      from: "if (pledge.to !== ask.from) return refuse('promised', promisedText(",
      to: "if (pledge.to === null) return refuse('promised', promisedText(",
    },
    faults: 1,
    only: ['isolate'],
    from: 'steady',
    finds: /while its promise to \w+ is good/,
  },
  {
    name: 'a promise is given before its ballot is on disk',
    mutation: {
      file: 'shared/core/vote/ask.ts',
      from: "effects: [{ type: 'record', ballot }],\n    decision: { kind: 'pending', epoch: ballot.epoch },",
      to: "effects: [{ type: 'record', ballot }],\n    decision: { kind: 'granted', epoch: ballot.epoch },",
    },
    faults: 1,
    only: ['slow'],
    from: 'start',
    finds: /before that is on its disk/,
  },
  {
    name: 'a promise ends before the lease that was built on it',
    mutation: {
      file: 'shared/core/vote/ask.ts',
      from: 'const untilMs = atMs + timing.reserveMs\n  return {\n    voter: { ...voter, pledge',
      to: 'const untilMs = atMs + timing.reserveMs / 2\n  return {\n    voter: { ...voter, pledge',
    },
    faults: 2,
    only: ['isolate', 'promote'],
    from: 'steady',
    finds: /while its promise to lb01 is good/,
  },
  {
    name: 'a holder whose lease runs out does not fence',
    mutation: {
      file: 'agent/core/guard/phases/holding.ts',
      from: 'if (atMs < leaseEndsAtMs(guard)) return',
      to: 'if (atMs < Infinity) return',
    },
    faults: 1,
    only: ['isolate'],
    from: 'steady',
    finds: /S2: both have the VIP/,
  },
  {
    name: 'a voter gives an epoch that it has given before',
    mutation: {
      file: 'shared/core/vote/ask.ts',
      from: 'if ((!lost && ask.epoch <= voter.spentEpoch) || ask.epoch < voter.epoch)',
      to: 'if (ask.epoch < 0)',
    },
    faults: 2,
    only: ['lose lb01>'],
    from: 'steady',
    finds: /S4/,
  },
]
