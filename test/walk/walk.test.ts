import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleWithMutation } from '../mutants/mutate-source.ts'
import { faultKinds } from './choices.ts'
import { mistakes } from './mistakes.ts'
import { walk, type Bounds, type Outcome } from './walk.ts'

const everyFault: Bounds = {
  faults: 1,
  kinds: new Set(faultKinds),
  only: null,
  depth: Infinity,
  deadlineMs: Infinity,
  from: 'steady',
  healEach: 10,
  nowMs: () => 0,
}

function complaint({ finding }: Outcome): string {
  return finding === null ? '' : `${finding.text}\n  ${finding.path.join('\n  ')}`
}

describe('every state that one fault can lead to', function () {
  this.timeout(600_000)

  it('keeps the invariants, and has one owner again when the fault is over', () => {
    const outcome = walk(everyFault)
    assert.equal(complaint(outcome), '')
    assert.equal(outcome.end, 'complete')
    assert.ok(outcome.states >= 3500, `only ${outcome.states} states were visited`)
    assert.ok(outcome.healed >= 350, `only ${outcome.healed} states were healed`)
  })

  it('does so from the first start of everything, for faults of processes and disks', () => {
    const kinds = new Set([
      'crash-agent',
      'crash-witness',
      'reboot-witness',
      'slow-disk',
      'failing-disk',
    ] as const)
    const outcome = walk({ ...everyFault, kinds, from: 'start' })
    assert.equal(complaint(outcome), '')
    assert.equal(outcome.end, 'complete')
    assert.ok(outcome.states >= 2000, `only ${outcome.states} states were visited`)
  })
})

describe('every state that two faults can lead to within a few steps', function () {
  this.timeout(600_000)

  it('keeps the invariants', () => {
    const outcome = walk({ ...everyFault, faults: 2, depth: 5 })
    assert.equal(complaint(outcome), '')
    assert.equal(outcome.end, 'depth')
    assert.ok(outcome.states >= 15_000, `only ${outcome.states} states were visited`)
  })
})

describe('the walk', function () {
  this.timeout(600_000)
  const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-walk-'))
  after(() => rmSync(folder, { recursive: true }))

  for (const [index, { name, mutation, faults, only, from, finds }] of mistakes.entries())
    it(`finds that ${name}`, async () => {
      const outfile = join(folder, `mistake-${index}.mjs`)
      await bundleWithMutation({ entry: 'test/walk/main.ts', mutation, outfile })
      const args = ['--faults', `${faults}`, '--only', only.join(','), '--from', from, '--heal-each', '0']
      const { stdout, stderr, status } = spawnSync(process.execPath, [outfile, ...args, '--minutes', '2'], {
        encoding: 'utf8',
      })
      assert.match(stdout, finds, `${stdout}${stderr}`)
      assert.equal(status, 1)
    })
})
