import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  climb,
  isProof,
  startLadder,
  type Ladder,
  type LadderPolicy,
  type LadderStep,
  type Scene,
} from '../../../../../agent/core/guard/fence-ladder.ts'
import { keepalivedStates, processStates } from '../../../../../shared/protocol/report.ts'

const stopPolicy: LadderPolicy = { fence: 'stop', hasLastResort: false, releaseMs: 200 }
const faultPolicy: LadderPolicy = { ...stopPolicy, fence: 'fault' }
const lastResortPolicy: LadderPolicy = { ...stopPolicy, hasLastResort: true }

const stillMaster: Scene = { keepalived: 'MASTER', process: 'running', vips: 'held' }
const faulty: Scene = { keepalived: 'FAULT', process: 'running', vips: 'gone' }
const gone: Scene = { keepalived: 'STOP', process: 'absent', vips: 'gone' }
const orphaned: Scene = { keepalived: 'STOP', process: 'absent', vips: 'held' }

function step(
  ladder: Ladder,
  scene: Scene,
  at: { atMs: number; policy?: LadderPolicy; commandFailed?: boolean },
): LadderStep {
  return climb(ladder, scene, { policy: stopPolicy, commandFailed: false, ...at })
}

/** Climbs at each deadline while the scene stays as it is; the steps that are no waiting. */
function walk(scene: Scene, policy: LadderPolicy, untilMs: number): { atMs: number; step: string }[] {
  let ladder = startLadder('bar', 0, policy)
  let atMs = 0
  const story: { atMs: number; step: string }[] = []
  for (let count = 0; count < 50; count++) {
    const next = step(ladder, scene, { atMs, policy })
    ladder = next.ladder
    if (next.type === 'done') break
    if (next.type === 'wait') atMs = ladder.deadlineMs
    else story.push({ atMs, step: next.type === 'climb' ? next.to : next.type })
    if (atMs > untilMs) break
  }
  return story
}

describe('the proof of a fence', () => {
  it('is a kernel without the VIP and keepalived in FAULT, stopped or gone', () => {
    assert.equal(isProof(faulty), true)
    assert.equal(isProof(gone), true)
    assert.equal(isProof({ keepalived: 'STOP', process: 'running', vips: 'gone' }), true)
  })

  it('is not there while the kernel has the VIP, whatever keepalived says', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...keepalivedStates),
        fc.constantFrom(...processStates),
        (keepalived, process) => !isProof({ keepalived, process, vips: 'held' }),
      ),
    )
  })

  it('is not there while a keepalived runs that could take the VIP back', () => {
    for (const keepalived of ['MASTER', 'BACKUP', 'INIT', 'UNKNOWN'] as const)
      for (const process of ['running', 'frozen'] as const)
        assert.equal(isProof({ keepalived, process, vips: 'gone' }), false, `${keepalived} ${process}`)
  })
})

describe('the fence ladder', () => {
  it('reaches SIGKILL within releaseMs where neither bar nor stop command help', () => {
    assert.deepEqual(walk(stillMaster, stopPolicy, 350), [
      { atMs: 50, step: 'stop' },
      { atMs: 150, step: 'kill' },
      { atMs: 350, step: 'failed' },
      { atMs: 350, step: 'kill' },
    ])
  })

  it('goes on to kill each second after it has failed, and says only once that it failed', () => {
    const story = walk(stillMaster, stopPolicy, 3350)
    assert.deepEqual(
      story.filter(({ step }) => step === 'failed').map(({ atMs }) => atMs),
      [350],
    )
    assert.deepEqual(
      story.filter(({ step }) => step === 'kill').map(({ atMs }) => atMs),
      [150, 350, 1350, 2350, 3350],
    )
  })

  it('repeats its last rung each second even if the command of that rung fails at once', () => {
    let ladder = startLadder('kill', 0, stopPolicy)
    const steps: { atMs: number; step: string }[] = []
    for (let atMs = 10; atMs <= 3000; atMs += 10)
      for (let first = true; ; first = false) {
        const next = step(ladder, stillMaster, { atMs, commandFailed: first })
        ladder = next.ladder
        if (next.type === 'wait') break
        steps.push({ atMs, step: next.type === 'climb' ? next.to : next.type })
        if (next.type === 'climb') break
      }
    assert.deepEqual(steps, [
      { atMs: 10, step: 'failed' },
      { atMs: 200, step: 'kill' },
      { atMs: 1200, step: 'kill' },
      { atMs: 2200, step: 'kill' },
    ])
  })

  it('does not hurry either if the VIP is gone and the process cannot be killed', () => {
    const hung: Scene = { keepalived: 'FAULT', process: 'frozen', vips: 'gone' }
    let ladder = startLadder('kill', 0, stopPolicy)
    ladder = step(ladder, hung, { atMs: 5 }).ladder
    assert.equal(step(ladder, hung, { atMs: 10, commandFailed: true }).type, 'wait')
    assert.equal(step(ladder, hung, { atMs: 200 }).type, 'climb')
  })

  it('tries the last resort once, after SIGKILL and before it admits failure', () => {
    assert.deepEqual(walk(stillMaster, lastResortPolicy, 2400), [
      { atMs: 50, step: 'stop' },
      { atMs: 150, step: 'kill' },
      { atMs: 350, step: 'last-resort' },
      { atMs: 1350, step: 'failed' },
      { atMs: 1350, step: 'kill' },
      { atMs: 2350, step: 'kill' },
    ])
  })

  it('ends at the bar with fence: fault', () => {
    const proved = step(startLadder('bar', 0, faultPolicy), faulty, { atMs: 2, policy: faultPolicy })
    assert.equal(proved.type, 'proved')
    assert.equal(proved.ladder.provedAtMs, 2)
    assert.equal(proved.ladder.provedBy, 'bar')
    assert.equal(step(proved.ladder, faulty, { atMs: 2, policy: faultPolicy }).type, 'done')
  })

  it('stops keepalived too with fence: stop, and waits for its end', () => {
    const proved = step(startLadder('bar', 0, stopPolicy), faulty, { atMs: 2 })
    const stop = step(proved.ladder, faulty, { atMs: 2 })
    assert.ok(stop.type === 'climb')
    assert.equal(stop.to, 'stop')
    assert.equal(step(stop.ladder, faulty, { atMs: 1000 }).type, 'wait')
    assert.equal(step(stop.ladder, gone, { atMs: 1010 }).type, 'done')
  })

  it('climbs at once where the bar cannot be written or the stop command fails', () => {
    const atBar = startLadder('bar', 0, stopPolicy)
    const stop = step(atBar, stillMaster, { atMs: 1, commandFailed: true })
    assert.ok(stop.type === 'climb')
    assert.equal(stop.to, 'stop')
    const kill = step(stop.ladder, stillMaster, { atMs: 5, commandFailed: true })
    assert.ok(kill.type === 'climb')
    assert.equal(kill.to, 'kill')
  })

  it('gives a stop command seconds once the VIP is gone, and then kills', () => {
    const stop = step(startLadder('bar', 0, stopPolicy), stillMaster, { atMs: 50 })
    const proved = step(stop.ladder, { ...faulty, keepalived: 'STOP' }, { atMs: 60 })
    assert.equal(proved.type, 'proved')
    assert.equal(proved.ladder.provedBy, 'stop')
    const waits = step(proved.ladder, { ...faulty, keepalived: 'STOP' }, { atMs: 150 })
    assert.equal(waits.type, 'wait')
    assert.equal(waits.ladder.deadlineMs, 5000)
    const kill = step(waits.ladder, { ...faulty, keepalived: 'STOP' }, { atMs: 5000 })
    assert.ok(kill.type === 'climb')
    assert.equal(kill.to, 'kill')
  })

  it('does not call it failed where the VIP is gone and only the process will not end', () => {
    const hung: Scene = { keepalived: 'FAULT', process: 'frozen', vips: 'gone' }
    const story = walk(hung, stopPolicy, 20_000).map(({ step }) => step)
    assert.deepEqual([...new Set(story)], ['proved', 'stop', 'kill'])
  })

  it('begins with SIGKILL and `ip addr del` for a VIP that nobody manages any more', () => {
    const ladder = startLadder('kill', 0, stopPolicy)
    assert.equal(ladder.rung, 'kill')
    assert.equal(step(ladder, orphaned, { atMs: 10 }).type, 'wait')
    assert.equal(step(ladder, gone, { atMs: 20 }).type, 'proved')
  })

  it('takes a late proof back from failed', () => {
    let ladder = startLadder('bar', 0, stopPolicy)
    for (const atMs of [50, 150, 350]) ladder = step(ladder, stillMaster, { atMs }).ladder
    assert.equal(ladder.failed, true)
    const proved = step(ladder, gone, { atMs: 700 })
    assert.equal(proved.type, 'proved')
    assert.equal(proved.ladder.failed, false)
    assert.equal(proved.ladder.provedBy, 'kill')
  })

  it('comes to rest in a few steps, and never ends without a proof (property)', () => {
    const scene = fc.record({
      keepalived: fc.constantFrom(...keepalivedStates),
      process: fc.constantFrom(...processStates),
      vips: fc.constantFrom('held' as const, 'gone' as const),
    })
    const policy = fc.record({
      fence: fc.constantFrom('stop' as const, 'fault' as const),
      hasLastResort: fc.boolean(),
      releaseMs: fc.integer({ min: 20, max: 1000 }),
    })
    const moment = fc.record({
      scene,
      afterMs: fc.integer({ min: 0, max: 3000 }),
      commandFailed: fc.boolean(),
    })
    fc.assert(
      fc.property(policy, fc.array(moment, { maxLength: 30 }), (policy, moments) => {
        let ladder = startLadder('bar', 0, policy)
        let atMs = 0
        for (const { scene, afterMs, commandFailed } of moments) {
          atMs += afterMs
          for (let steps = 0; ; steps++) {
            assert.ok(steps < 5, `does not come to rest: ${JSON.stringify(ladder)}`)
            const next = climb(ladder, scene, { atMs, policy, commandFailed: steps === 0 && commandFailed })
            ladder = next.ladder
            if (next.type === 'done') return assert.notEqual(ladder.provedAtMs, null)
            if (next.type === 'climb') assert.ok(ladder.deadlineMs > atMs)
            if (next.type === 'wait') assert.ok(ladder.deadlineMs > atMs)
            if (next.type === 'wait' || next.type === 'climb') break
          }
        }
      }),
    )
  })
})
