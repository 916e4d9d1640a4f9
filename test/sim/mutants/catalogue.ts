/**
 * Planted mistakes: each breaks one rule of docs/safety.md or docs/architecture.md by one replacement in a production
 * file. hunt.ts shows that the simulator finds it. A refactoring that moves the text must move the mutation with it.
 */
import type { FaultKind } from '../faults/faults.ts'
import type { SourceMutation } from '../../mutants/mutate-source.ts'

export interface Mutant extends SourceMutation {
  readonly name: string
  /** The rule that it breaks. */
  readonly rule: string
  /**
   * Faults that bring it to light: every second fault of its runs is one of these. If absent, all faults are equally
   * likely.
   */
  readonly focus?: readonly FaultKind[]
}

const votes: readonly Mutant[] = [
  {
    name: 'names-taken-for-instances',
    rule: 'There is one vote for each VIP, whatever the nodes call the instance.',
    file: 'server/core/arbiter/instance-keys.ts',
    from: "if (match.kind === 'paired') keys.set(",
    to: "if (match.kind === 'paired' && match.with === name) keys.set(",
  },
  {
    name: 'check-of-unknown-instance',
    rule: 'A check gets no vote for an instance that its node has not identified.',
    focus: ['kill-agent', 'kill-witness'],
    file: 'server/core/arbiter/instance-keys.ts',
    from: 'return isSaid || (hasBallot && (known.get(name)?.size ?? 0) === 0)',
    to: 'return isSaid || name.length > 0',
  },
  {
    name: 'vote-given-twice',
    rule: 'A voter promises to one candidate at a time.',
    file: 'shared/core/vote/ask.ts',
    from: "      if (pledge.to !== ask.from) return refuse('promised', promisedText(",
    to: "      if (pledge.to !== ask.from && pledge.untilMs < 0) return refuse('promised', promisedText(",
  },
  {
    name: 'promise-shorter-than-lease',
    rule: 'E1: a promise outlives its use (T_g is longer than T_h).',
    file: 'shared/core/vote/ask.ts',
    from: "const untilMs = atMs + timing.reserveMs\n  return {\n    voter: { ...voter, pledge: { phase: 'promised'",
    to: "const untilMs = atMs + timing.leaseMs / 2\n  return {\n    voter: { ...voter, pledge: { phase: 'promised'",
  },
  {
    name: 'promise-never-ends',
    rule: 'A promise expires by itself after T_g.',
    focus: ['crash-host'],
    file: 'shared/core/vote/voter.ts',
    from: 'return pledge.untilMs <= atMs ? {',
    to: "return pledge.untilMs <= atMs && pledge.phase === 'waiting' ? {",
  },
  {
    name: 'promise-before-the-disk',
    rule: 'A new epoch is on disk before the grant is sent.',
    file: 'shared/core/vote/ask.ts',
    from: "    effects: [{ type: 'record', ballot }],\n    decision: { kind: 'pending', epoch: ballot.epoch },",
    to: "    effects: [{ type: 'record', ballot }],\n    decision: { kind: 'granted', epoch: ballot.epoch },",
  },
  {
    name: 'promise-not-persisted',
    rule: 'A ballot is on disk before its first grant.',
    file: 'shared/core/vote/ask.ts',
    from: '  return recordNext(voter, ballot, ask.atMs)\n',
    to: '  return grant({ ...voter, lost: null, spentEpoch: ask.epoch, epoch: ask.epoch, record: ballot }, ballot, ask.atMs, timing)\n',
  },
  {
    name: 'no-wait-after-boot',
    rule: 'After a restart without a mark only the recorded holder may renew for T_g.',
    focus: ['crash-host'],
    file: 'shared/core/vote/recovery.ts',
    from: "const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs + at.reserveMs }",
    to: "const waiting: Pledge = { phase: 'waiting', untilMs: at.atMs }",
  },
  {
    name: 'no-wait-after-restart',
    rule: 'After a restart only the recorded holder may renew until the time in the mark.',
    focus: ['kill-agent', 'kill-witness'],
    file: 'shared/core/vote/recovery.ts',
    from: "return { ...recovered, pledge: { phase: 'waiting', untilMs: mark.untilMs } }",
    to: "return { ...recovered, pledge: { phase: 'free' } }",
  },
  {
    name: 'promise-forgotten',
    rule: 'The promise of a voter survives its restart.',
    focus: ['kill-agent', 'kill-witness'],
    file: 'shared/core/vote/recovery.ts',
    from: '  if (ballot === null) return { pledge: waiting, record: null, ...spent(0) }\n',
    to: "  if (ballot === null || at.atMs >= 0) return { pledge: { phase: 'free' }, record: null, ...spent(0) }\n",
  },
  {
    name: 'jump-ends-promises',
    rule: 'A jump of the clock ends no promise.',
    focus: ['clock-jump'],
    file: 'shared/core/vote/recovery.ts',
    from: "if (jump.jumpedMs <= 0 || pledge.phase === 'free'",
    to: "if (jump.jumpedMs > 0 || pledge.phase === 'free'",
  },
  {
    name: 'anybody-while-waiting',
    rule: 'While a restarted voter waits, nobody but the recorded holder gets its vote.',
    focus: ['kill-agent', 'kill-witness'],
    file: 'shared/core/vote/ask.ts',
    from: 'if (voter.record?.to !== ask.from)\n        return refuse(',
    to: "if (voter.record?.to === 'nobody')\n        return refuse(",
  },
  {
    name: 'renewal-not-marked',
    rule: 'The mark says when the last promise ends, renewals included.',
    focus: ['kill-agent', 'kill-witness'],
    file: 'shared/core/vote/ask.ts',
    from: "    effects: [{ type: 'mark', mark: { epoch: ballot.epoch, untilMs } }],\n    decision: { kind: 'granted'",
    to: "    effects: voter.pledge.phase === 'promised' ? [] : [{ type: 'mark', mark: { epoch: ballot.epoch, untilMs } }],\n    decision: { kind: 'granted'",
  },
  {
    name: 'epoch-given-again',
    rule: 'S4: a voter gives each epoch once, and none below what it knows.',
    file: 'shared/core/vote/ask.ts',
    from: 'if ((!lost && ask.epoch <= voter.spentEpoch) || ask.epoch < voter.epoch)',
    to: 'if (ask.epoch < 0)',
  },
  {
    name: 'epoch-not-spent',
    rule: 'S4: an epoch that a ballot used up is never given again.',
    file: 'shared/core/vote/ask.ts',
    from: '      spentEpoch: Math.max(voter.spentEpoch, ballot.epoch),\n      epoch: Math.max(voter.epoch, ballot.epoch),\n',
    to: '',
  },
  {
    name: 'lost-ledger-is-free',
    rule: 'A lost ledger means that everyone waits, never that nobody holds.',
    focus: ['disk-torn'],
    file: 'shared/core/vote/recovery.ts',
    from: "if (found.kind === 'lost') return { pledge: waiting,",
    to: "if (found.kind === 'lost') return { pledge: { phase: 'free' },",
  },
  {
    name: 'failed-write-believed',
    rule: 'A ballot that could not be written gives nothing.',
    focus: ['disk-full'],
    file: 'shared/core/vote/ask.ts',
    from: "return { ...voter, record: null, lost: ballot, pledge: { phase: 'waiting', untilMs: pledge.boundUntilMs } }",
    to: "return { ...voter, record: ballot, pledge: { phase: 'free' } }",
  },
  {
    name: 'strangers-release',
    rule: 'A node can give back only a vote that it has.',
    file: 'shared/core/vote/ask.ts',
    from: "if (pledge.phase !== 'promised' || pledge.to !== from) return",
    to: "if (pledge.phase !== 'promised') return",
  },
]

const leases: readonly Mutant[] = [
  {
    name: 'lease-from-receipt',
    rule: 'A vote is valid for T_h from when its request was sent, not from when the answer arrived.',
    file: 'agent/core/guard/events/answers.ts',
    from: 'set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })',
    to: 'set(turn, { candidacy: withGrant(candidacy, from, atMs) })',
  },
  {
    name: 'pending-counted',
    rule: 'A vote counts once it is granted, not while it waits for the disk.',
    file: 'agent/core/guard/events/answers.ts',
    from: 'set(turn, { candidacy: withPending(candidacy, from) })',
    to: 'set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })',
  },
  {
    name: 'refusal-counted',
    rule: 'A refusal is not a vote.',
    file: 'agent/core/guard/events/answers.ts',
    from: 'return set(turn, { candidacy: withRefusal(candidacy, from, { ...vote, sentAtMs }) })',
    to: 'return set(turn, { candidacy: withGrant(candidacy, from, sentAtMs) })',
  },
  {
    name: 'one-vote-is-enough',
    rule: 'The lease is a majority: 2 of 3.',
    file: 'shared/core/majority.ts',
    from: 'return Math.floor(voters / 2) + 1',
    to: 'return 1',
  },
  {
    name: 'lease-of-newest-vote',
    rule: 'The lease lasts as long as the second newest vote, not the newest.',
    file: 'agent/core/guard/lease.ts',
    from: 'if (reached >= needed) decisiveMs = atMs',
    to: 'if (voters.filter((each) => grantedAtMs(each) > -Infinity).length >= needed) decisiveMs = atMs',
  },
  {
    name: 'lease-carried-forever',
    rule: 'A lease under an earlier epoch remains valid for as long as it was, and no longer.',
    file: 'agent/core/guard/candidate.ts',
    from: 'candidacy: newCandidacy({ epoch: voter.epoch + 1, askedAtMs: turn.atMs, carriedUntilMs }),',
    to: 'candidacy: newCandidacy({ epoch: voter.epoch + 1, askedAtMs: turn.atMs, carriedUntilMs: carriedUntilMs + 60_000 }),',
  },
  {
    name: 'lease-outlived',
    rule: 'E2: a holder without renewal starts to fence D + G before its lease ends.',
    file: 'shared/core/timing.ts',
    from: 'return leaseUntilMs - timing.releaseMs - timing.grainMs',
    to: 'return leaseUntilMs',
  },
  {
    name: 'lease-end-not-seen',
    rule: "The one rule: a MASTER without a renewal fences itself at E2's instant.",
    file: 'agent/core/guard/phases/holding.ts',
    from: 'if (atMs < leaseEndsAtMs(guard)) return',
    to: 'if (atMs < leaseEndsAtMs(guard) + 60_000) return',
  },
  {
    name: 'suspend-not-seen',
    rule: 'The boot clock counts the time of a suspend; a clock that stops during a suspend does not.',
    file: 'test/sim/world/host.ts',
    from: '  standStill(): void {\n',
    to: `  standStill(): void {
    const bootMs = this.#exactMs()
    const goOn = Host.prototype.goOn.bind(this)
    this.goOn = () => {
      goOn()
      this.#origin = { trueMs: this.timeline.nowMs, bootMs }
    }
`,
  },
]

const claims: readonly Mutant[] = [
  {
    name: 'refused-claim-stays',
    rule: 'A refused or unanswered claim ends in a fence.',
    focus: ['vrrp-block'],
    file: 'agent/core/guard/phases/claim.ts',
    from: 'const lost = enforces(guard) ? whyLost(guard, phase, atMs) : null\n',
    to: 'const lost = enforces(guard) ? whyLost(guard, phase, atMs - 60_000) : null\n  if (lost?.startsWith("the claim")) return\n',
  },
  {
    name: 'one-refusal-fences',
    rule: 'A claim ends when a majority is no longer possible, not at the first refusal.',
    focus: ['crash-host'],
    file: 'agent/core/guard/lease.ts',
    from: 'return possible.length < majorityOf(voters.length)',
    to: 'return possible.length < voters.length',
  },
  {
    name: 'resumed-lease-trusted',
    rule: 'An agent that did not run for a while treats its lease as void until it gets a fresh answer.',
    file: 'agent/core/guard/standstill.ts',
    from: "if (phase.name === 'holding' || phase.name === 'claiming') enterClaim(turn, 'adopt')",
    to: "if (phase.name === 'holding' && turn.guard.candidacy !== null) set(turn, { candidacy: { ...turn.guard.candidacy, carriedUntilMs: turn.atMs + turn.guard.timing.leaseMs } })",
  },
  {
    name: 'orders-on-old-news',
    rule: 'Orders are given only after handoverMs and only on fresh reports.',
    file: 'server/core/arbiter/watch.ts',
    from: 'if (!lasts || !fresh || letsGo || holder === null || atMs - orderedAtMs < timing.renewMs) return',
    to: 'if (holder === null || atMs - orderedAtMs < timing.renewMs) return',
  },
]

const fences: readonly Mutant[] = [
  {
    name: 'fence-believed',
    rule: 'S5: a fence that is not proved is not reported as done.',
    file: 'agent/core/guard/fence-ladder.ts',
    from: "    scene.vips === 'gone' &&\n",
    to: '',
  },
  {
    name: 'proof-without-keepalived',
    rule: 'S5: a proof requires keepalived in FAULT or gone, not only a VIP that is gone for the moment.',
    focus: ['freeze-keepalived', 'stop-keepalived'],
    file: 'agent/core/guard/fence-ladder.ts',
    from: "    (scene.process === 'absent' || scene.keepalived === 'FAULT' || scene.keepalived === 'STOP')\n",
    to: '    true\n',
  },
  {
    name: 'ladder-stops-at-stop',
    rule: 'If the stop command did not help, SIGKILL follows.',
    focus: ['freeze-keepalived', 'isolate'],
    file: 'agent/core/guard/fence-ladder.ts',
    from: "return { type: 'wait', ladder: { ...ladder, deadlineMs: ladder.startedAtMs + stopPatienceMs } }\n      return go('kill')",
    to: "return { type: 'wait', ladder: { ...ladder, deadlineMs: ladder.startedAtMs + stopPatienceMs } }\n      return { type: 'wait', ladder }",
  },
  {
    name: 'release-before-gone',
    rule: 'A node gives its votes back when its VIP is gone, not before.',
    file: 'agent/core/guard/report.ts',
    from: 'release: guard.observed && candidacy === null && !holdsVip(guard),',
    to: 'release: guard.observed && candidacy === null,',
  },
  {
    name: 'release-unseen',
    rule: 'An agent that has not looked at its kernel yet gives no vote back.',
    file: 'agent/core/guard/report.ts',
    from: 'release: guard.observed && candidacy === null && !holdsVip(guard),',
    to: 'release: candidacy === null && !holdsVip(guard),',
  },
  {
    name: 'orphan-not-seen',
    rule: 'A VIP that a dead keepalived left in the kernel is removed.',
    focus: ['kill-keepalived'],
    file: 'agent/core/guard/own-lease.ts',
    from: 'return enforces(guard) && observed && lived && isLeft',
    to: 'return false',
  },
  {
    name: 'orphan-taken-for-foreign',
    rule: 'A VIP is not keepalived’s only if a fence has proved since the last MASTER that it was gone.',
    focus: ['kill-keepalived'],
    file: 'agent/core/guard/state.ts',
    from: "if (clearedAtMs === null || phase.name === 'fencing') return false",
    to: "if (phase.name === 'fencing') return false",
  },
  {
    name: 'cleared-outlives-master',
    rule: 'What a fence proved is no evidence about the VIP of a later MASTER.',
    focus: ['kill-keepalived', 'vrrp-block', 'isolate'],
    file: 'agent/core/guard/foreign-vip.ts',
    from: "if (keepalived === 'MASTER' || endedUntold)",
    to: 'if (endedUntold)',
  },
]

const fenceMemories: readonly Mutant[] = [
  {
    name: 'stop-not-remembered',
    rule: 'An agent starts again what it stopped.',
    focus: ['vrrp-block', 'cut-link'],
    file: 'agent/core/guard/phases/fencing.ts',
    from: "      if (guard.seen.process !== 'absent' || (phase.wasAlive && ladder.provedAtMs === null))\n        rememberStopped(turn, true)\n",
    to: '',
  },
  {
    name: 'memory-waits-for-the-disk',
    rule: 'The next agent knows of a stop even if this one dies before the stop command runs.',
    focus: ['kill-agent-in-fence'],
    file: 'test/sim/programs/agent-daemon.ts',
    from: '    this.node.remember({ fences: memory })\n',
    to: '',
  },
  {
    name: 'stop-under-way-forgotten',
    rule: 'A keepalived that still runs may be about to end because of a stop that a dead agent ordered.',
    focus: ['kill-agent-in-fence'],
    file: 'agent/core/guard/phases/rejoining.ts',
    from: 'if (startedSince || !memory.stopped) {',
    to: "if (seen.process !== 'absent' || !memory.stopped) {",
  },
]

const drills: readonly Mutant[] = [
  {
    name: 'drill-forgets-the-way-back',
    rule: 'A drill brings keepalived back as soon as the fence is proved.',
    focus: ['drill'],
    file: 'agent/core/guard/phases/drilling.ts',
    from: "  turn.effects.push({ type: 'start-keepalived' })",
    to: '',
  },
  {
    name: 'drill-not-remembered',
    rule: 'An agent that dies in a drill leaves on disk that the next agent must start keepalived.',
    focus: ['drill', 'kill-agent-in-fence'],
    file: 'agent/core/guard/events/drill-order.ts',
    from: "const waits = role === 'standby' && turn.guard.policy.fence === 'stop'",
    to: 'const waits = false',
  },
]

const bars: readonly Mutant[] = [
  {
    name: 'alone-not-barred',
    rule: 'A node that reaches nobody cannot win the votes, so it is barred.',
    focus: ['isolate'],
    file: 'agent/core/guard/bar-evidence.ts',
    from: "if (policy.alone === 'keep') return null\n",
    to: 'if (policy.alone !== null) return null\n',
  },
  {
    name: 'cut-not-seen',
    rule: 'A node is barred if it does not hear the peer and the witness reports a newer renewal by it.',
    file: 'agent/core/guard/bar-evidence.ts',
    from: "if (newerByMs >= 2 * timing.renewMs || currentCause?.kind === 'holder-elsewhere')",
    to: 'if (newerByMs < 0)',
  },
  {
    name: 'bar-forgotten',
    rule: 'A node is barred by track_file and by permit if there is cause.',
    file: 'agent/core/guard/transitions.ts',
    from: "  const sinceMs = phase.name === 'barred' ? phase.sinceMs : turn.atMs\n",
    to: "  if (turn.atMs >= 0) return\n  const sinceMs = phase.name === 'barred' ? phase.sinceMs : turn.atMs\n",
  },
  {
    name: 'fence-believed-in-time',
    rule: 'S5: a fence that ran out of time is reported as failed, never as done.',
    focus: ['freeze-keepalived', 'isolate'],
    file: 'agent/core/guard/fence-ladder.ts',
    from: 'if (ladder.provedAtMs === null && isProof(scene))',
    to: 'if (ladder.provedAtMs === null && (isProof(scene) || (ladder.rung === "stop" && atMs >= ladder.deadlineMs)))',
  },
  {
    name: 'bar-flickers',
    rule: 'Once barred, a node stays barred until the holder is heard again or its lease has expired.',
    file: 'agent/core/guard/bar-evidence.ts',
    from: "if (newerByMs >= 2 * timing.renewMs || currentCause?.kind === 'holder-elsewhere')",
    to: 'if (currentCause === null && newerByMs >= 2 * timing.renewMs)',
  },
  {
    name: 'barred-on-silence',
    rule: 'A node is barred on evidence, not on silence, so that a takeover is as fast as with keepalived alone.',
    focus: ['crash-host'],
    file: 'agent/core/guard/bar-evidence.ts',
    from: '  if (alone(guard, atMs) && !couldWinAlone) {\n',
    to: '  if (peerSilent(guard, atMs)) {\n',
  },
  {
    name: 'permit-never-expires',
    rule: 'The permit expires by itself at a deadline.',
    focus: ['kill-agent', 'vrrp-block'],
    file: 'agent/core/guard/permit.ts',
    from: 'untilMs: Math.floor(untilMs), why })',
    to: 'untilMs: Math.floor(untilMs) + 3_600_000, why })',
  },
  {
    name: 'permit-tenfold',
    rule: "E5: a holder's permit is so short that its check asks while the witness's promise is still valid.",
    focus: ['kill-agent'],
    file: 'shared/core/timing.ts',
    from: 'return Math.max(2 * timing.renewMs, timing.reserveMs - timing.checkMs - askingMs)',
    to: 'return 10 * Math.max(2 * timing.renewMs, timing.reserveMs - timing.checkMs - askingMs)',
  },
]

const gates: readonly Mutant[] = [
  {
    name: 'gate-without-lease',
    rule: 'gate: strict: the bar is lifted when the lease is won, not before.',
    file: 'agent/core/guard/phases/gate.ts',
    from: 'if (leaseEndsAtMs(guard) > atMs) return enterEntitled(turn)',
    to: 'if (guard.candidacy !== null) return enterEntitled(turn)',
  },
  {
    name: 'gate-left-open',
    rule: 'gate: strict: a node that is not MASTER and has no lease is barred.',
    focus: ['vrrp-block'],
    file: 'agent/core/guard/phases/standby.ts',
    from: "if (guard.timing.gate === 'strict' && guard.policy.mode === 'enforce' && enforces(guard))",
    to: "if (guard.timing.gate === 'strict' && guard.policy.mode !== 'enforce' && enforces(guard))",
  },
  {
    name: 'gate-does-not-renew',
    rule: 'gate: strict: a lease that has ended before keepalived is MASTER bars it again.',
    focus: ['isolate'],
    file: 'agent/core/guard/phases/gate.ts',
    from: 'if (leaseEndsAtMs(guard) <= atMs) return enterGated(turn, atMs + retryMs)',
    to: '',
  },
]

const standingVotes: readonly Mutant[] = [
  {
    name: 'left-vote-not-on-disk',
    rule: 'A vote that a node leaves is recorded on disk before the holder is told.',
    focus: ['leave'],
    file: 'shared/core/vote/standing.ts',
    from: 'return recordNext(voter, { to: pledge.to, epoch: pledge.epoch, standing: true }, leave.atMs)',
    to: "return { voter: { ...voter, pledge: { phase: 'standing', to: pledge.to, epoch: pledge.epoch, sinceMs: leave.atMs } }, effects: [], decision: { kind: 'granted', epoch: pledge.epoch } }",
  },
  {
    name: 'left-vote-forgotten',
    rule: 'A vote that was left stays left across every restart of the node.',
    focus: ['leave', 'crash-host', 'isolate'],
    file: 'shared/core/vote/recovery.ts',
    from: '  if (ballot?.standing === true)\n    return {',
    to: '  if (ballot?.standing === true && ballot.epoch < 0)\n    return {',
  },
  {
    name: 'left-vote-taken-by-time',
    rule: 'A vote that was left comes back with the consent of the holder, not by time.',
    focus: ['leave', 'crash-host', 'isolate'],
    file: 'agent/core/guard/guard.ts',
    from: '  endDoubtInTime(turn)\n',
    to: "  endDoubtInTime(turn)\n  const left = turn.guard.voter.pledge\n  if (left.phase === 'standing' && turn.guard.leave === 'none' && event.atMs - left.sinceMs > 5000) set(turn, { voter: { ...turn.guard.voter, pledge: { phase: 'free' } } })\n",
  },
  {
    name: 'handed-back-not-forgotten',
    rule: 'A vote is removed from disk before it is handed back.',
    focus: ['leave', 'crash-host', 'isolate'],
    file: 'agent/core/guard/events/standing.ts',
    from: "  set(turn, { kept: { phase: 'forgetting', ballot, sinceMs, counts } })\n  turn.effects.push({ type: 'keep-vote', kept: null })",
    to: "  set(turn, { kept: { phase: 'none' } })\n  if (counts && sinceMs < 0 && ballot.epoch < 0) turn.effects.push({ type: 'keep-vote', kept: null })",
  },
  {
    name: 'kept-vote-not-denied',
    rule: 'A kept vote no longer counts once its owner shows that it uses its vote itself.',
    focus: ['leave', 'disk-rollback', 'isolate'],
    file: 'agent/core/guard/events/standing.ts',
    from: '  if (left?.to !== node) return voidKept(',
    to: '  if (left?.to !== node) return void (',
  },
  {
    name: 'lent-vote-told-before-the-disk',
    rule: 'A vote is delegated when the disk has it, not when that is decided.',
    focus: ['cut-link', 'isolate'],
    file: 'shared/core/vote/voter.ts',
    from: "const standing = pledge.phase === 'recording' ? pledge.stood : pledge\n",
    to: "const standing = pledge.phase !== 'recording' ? pledge : pledge.renewed === undefined ? pledge.stood : ({ ...pledge.renewed, phase: 'standing', sinceMs: 0 } as const)\n",
  },
  {
    name: 'lent-vote-taken-by-time',
    rule: 'A vote that was delegated because the witness was silent comes back with the consent of the holder alone.',
    focus: ['isolate', 'cut-link', 'kill-witness'],
    file: 'agent/core/guard/guard.ts',
    from: '  weighLending(turn)\n',
    to: "  weighLending(turn)\n  const lent = turn.guard.voter.pledge\n  if (lent.phase === 'standing' && turn.guard.leave === 'none' && event.atMs - (turn.guard.peerHeardAtMs ?? 0) > 5000) set(turn, { voter: { ...turn.guard.voter, pledge: { phase: 'free' } } })\n",
  },
  {
    name: 'slow-disk-ends-a-promise',
    rule: 'While a promise becomes a standing vote on disk, the holder renews it.',
    focus: ['disk-slow', 'kill-witness'],
    file: 'shared/core/vote/ask.ts',
    from: 'const has = renewed ?? stood\n',
    to: 'const has = stood\n',
  },
]

const witnesses: readonly Mutant[] = [
  {
    name: 'check-without-vote',
    rule: "The witness's yes to a check is an ordinary vote.",
    focus: ['kill-agent', 'vrrp-block'],
    file: 'server/core/arbiter/check.ts',
    from: '    if (refusal !== null) return reply(false, refusal)\n',
    to: '    if (refusal !== null) return reply(true, refusal)\n',
  },
  {
    name: 'check-before-the-disk',
    rule: 'A check waits for its ballot to be on disk.',
    file: 'server/core/arbiter/check.ts',
    from: 'return change(turn, instance, { pendingChecks: [...pendingChecks, check] })',
    to: "return reply(true, '')",
  },
  {
    name: 'check-of-another-boot',
    rule: 'A promise from before a reboot of the node is not renewed by its check.',
    focus: ['crash-host'],
    file: 'server/core/arbiter/check.ts',
    from: 'return bootId !== null && heldByBootId !== null && heldByBootId !== bootId',
    to: 'return false',
  },
  {
    name: 'check-keeps-its-agent-waiting',
    rule: 'A promise that the check won after a reboot does not keep the agent of the same boot waiting.',
    focus: ['crash-host'],
    file: 'server/core/arbiter/greeting.ts',
    from: ' && heldByBootId !== bootId',
    to: " && heldByBootId !== 'nobody' + bootId",
  },
  {
    name: 'check-beats-the-living',
    rule: 'The check of a node without an agent cannot win while a node with an agent can take the VIP.',
    focus: ['crash-host'],
    file: 'server/core/arbiter/check.ts',
    from: 'if (other.member.name !== name && couldTake(turn, other, instance))',
    to: "if (other.member.name === 'nobody')",
  },
  {
    name: 'old-beat-accepted',
    rule: 'S6: a replayed heartbeat changes nothing.',
    focus: ['replay'],
    file: 'server/core/arbiter/roster.ts',
    from: 'if (session?.connection !== connection || beat.seq <= session.lastSeq)',
    to: 'if (session?.connection !== connection)',
  },
  {
    name: 'old-incarnation-accepted',
    rule: 'S6: another instance of an agent never displaces a live one.',
    focus: ['clone', 'replay'],
    file: 'server/core/arbiter/roster.ts',
    from: 'const succession = successionOf({ present, past }, { ...hello, atMs, reserveMs })',
    to: "const succession = (present?.incarnation === hello.incarnation ? 'same' : 'next') as ReturnType<typeof successionOf>",
  },
  {
    name: 'clone-taken-for-restart',
    rule: 'An agent of another boot speaks for a node only when no promise to the old agent can be in use.',
    focus: ['clone', 'freeze-agent', 'cut-link'],
    file: 'shared/core/succession.ts',
    from: 'return successor.bootId === bootId || (!promised && successor.atMs - heardAtMs >= successor.reserveMs)',
    to: 'return true',
  },
  {
    name: 'double-believed',
    rule: 'A second live agent of the same name is answered but changes nothing.',
    focus: ['clone'],
    file: 'server/core/arbiter/arbiter.ts',
    from: '...beat.reports.map((report) =>\n          inWordsOf(turn, name, replyFor(turn, report.instance, conflictVote(name))),\n        ),',
    to: '...beat.reports\n          .flatMap((report) => bookReport(turn, receipt.node, beat, report))\n          .map((reply) => inWordsOf(turn, name, reply)),',
  },
]

const arming: readonly Mutant[] = [
  {
    name: 'unarmed-fences',
    rule: 'A guard that is not armed never gives a claim up: a refusal is not a rival.',
    file: 'agent/core/guard/phases/claim.ts',
    from: 'const lost = enforces(guard) ? whyLost(guard, phase, atMs) : null',
    to: 'const lost = whyLost(guard, phase, atMs)',
  },
  {
    name: 'unarmed-is-barred',
    rule: 'A guard that is not armed bars nobody, even if it is alone.',
    file: 'agent/core/guard/bar-evidence.ts',
    from: '  if (!enforces(guard)) return null\n',
    to: '',
  },
  {
    name: 'unarmed-closes-the-gate',
    rule: 'With gate: strict the gate stays open until the guard is armed.',
    file: 'agent/core/guard/phases/standby.ts',
    from: "guard.policy.mode === 'enforce' && enforces(guard))",
    to: "guard.policy.mode === 'enforce')",
  },
  {
    name: 'armed-is-forgotten',
    rule: 'A guard that was armed is armed again after every restart and reboot.',
    focus: ['isolate', 'cut-link', 'vrrp-block', 'crash-host', 'kill-agent'],
    file: 'agent/core/guard/arming.ts',
    from: 'if (found.noted !== undefined) return found.noted',
    to: 'if (found.noted !== undefined) return false',
  },
  {
    name: 'never-armed',
    rule: 'A guard is armed once it has seen a settled cluster.',
    focus: ['vrrp-block'],
    file: 'agent/core/guard/arming.ts',
    from: '  if (why !== null) arm(turn, why)',
    to: '  if (why !== null && atMs < 0) arm(turn, why)',
  },
  {
    name: 'resumed-does-not-adopt',
    rule: 'After a standstill a VIP that is here is adopted, as after a restart.',
    focus: ['freeze-agent', 'crash-host'],
    file: 'agent/core/guard/events/keepalived-news.ts',
    from: '!observed || (resumedAtMs !== null &&',
    to: '!observed || (resumedAtMs === Infinity &&',
  },
  {
    name: 'waiting-ends-a-claim',
    rule: 'A refusal that passes by itself does not end a claim that only waits for it.',
    focus: ['crash-host', 'kill-agent'],
    file: 'agent/core/guard/phases/claim.ts',
    from: 'return phase.adopts ? votersOf(guard) : [guard.node]',
    to: 'return []',
  },
]

const priorities: readonly Mutant[] = [
  {
    name: 'handover-deaf-to-a-slow-network',
    rule: 'S2, L5: a claimant waits for the holder as long as the holder’s news takes.',
    focus: ['weight-fails', 'jitter'],
    file: 'agent/core/guard/phases/claim.ts',
    from: '  const deadlineMs = phase.handover ? phase.deadlineMs + lagMs : phase.deadlineMs\n',
    to: '  const deadlineMs = phase.deadlineMs\n',
  },
  {
    name: 'order-crosses-the-news',
    rule: 'An order needs reports that were sent, not only received, after the two VIPs were seen.',
    focus: ['weight-fails', 'jitter'],
    file: 'server/core/arbiter/watch.ts',
    from: '  const fresh = masters.every((name) => {\n',
    to: '  const fresh = dualSinceMs > 0 || masters.every((name) => {\n',
  },
  {
    name: 'base-priority-decides',
    rule: 'L7: the priority that keepalived runs with decides, weights included.',
    focus: ['weight-fails'],
    file: 'agent/core/guard/state.ts',
    from: '  return runningPriority ?? profile.priority\n',
    to: '  return runningPriority === -1 ? runningPriority : profile.priority\n',
  },
  {
    name: 'base-priority-reported',
    rule: 'L7: a node reports the priority that keepalived runs with.',
    focus: ['weight-fails'],
    file: 'agent/core/guard/report.ts',
    from: '    priority: priorityOf(guard),\n',
    to: '    priority: profile.priority,\n',
  },
  {
    name: 'untold-weight-not-considered',
    rule: 'L7: a holder whose keepalived does not tell of its priority may have become the lower one.',
    focus: ['weight-fails'],
    file: 'agent/core/guard/state.ts',
    from: "return profile.weights === 'untold' || runningPriority === null",
    to: 'return runningPriority === null',
  },
  {
    name: 'three-adverts-whatever-is-configured',
    rule: 'E4: the master-down time is that of down_timer_adverts.',
    focus: ['crash-host'],
    file: 'agent/core/guard/candidate.ts',
    from: 'return !votesAreFreeInTime({ ...guard.profile, priority: priorityOf(guard) }',
    to: 'return !votesAreFreeInTime({ ...guard.profile, downTimerAdverts: 3, priority: priorityOf(guard) }',
  },
]

export const catalogue: readonly Mutant[] = [
  ...arming,
  ...votes,
  ...leases,
  ...claims,
  ...fences,
  ...fenceMemories,
  ...drills,
  ...bars,
  ...gates,
  ...standingVotes,
  ...witnesses,
  ...priorities,
]
