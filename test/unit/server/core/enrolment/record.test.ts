import assert from 'node:assert/strict'
import fc from 'fast-check'
import { settlePairs } from '../../../../../server/core/enrolment/former-pairs.ts'
import {
  admit,
  isAheadOf,
  remove,
  renew,
  rotate,
  use,
} from '../../../../../server/core/enrolment/admission.ts'
import {
  type Enrolment,
  type InviteRecord,
  type Moment,
  entryOf,
  inviteMs,
  membersOf,
  mostInvites,
  nobodyEnrolled,
} from '../../../../../server/core/enrolment/record.ts'
import { enrolmentSchema } from '../../../../../server/registry/enrolment-schema.ts'
import { invite, redeem } from '../../../../../server/core/enrolment/invites.ts'
import type { NodeIdentity } from '../../../../../shared/identity/identity.ts'

const at = '2026-01-02T03:04:05.000Z'
const moment: Moment = { bootId: 'boot-0001', atMs: 1000, at }
const lb01 = { cluster: 'web', node: 'lb01' }
const listener = { address: '10.0.0.11', port: 7401 }

function certificate(node: string, generation: number, cluster = 'web'): NodeIdentity {
  return { kind: 'node', cluster, node, generation }
}

let count = 0
function invited(enrolment: Enrolment, node: string, when = moment, cluster = 'web'): Enrolment {
  count += 1
  const secretHash = count.toString(16).padStart(64, '0')
  const outcome = invite(enrolment, { cluster, node, secretHash, moment: when })
  assert.ok(outcome.kind === 'done', JSON.stringify(outcome))
  return outcome.enrolment
}

function lastInvite({ invites }: Enrolment): InviteRecord | null {
  return invites.at(-1) ?? null
}

function joined(enrolment: Enrolment, node: string, cluster = 'web'): Enrolment {
  const before = invited(enrolment, node, moment, cluster)
  const outcome = redeem(before, { cluster, node, invite: lastInvite(before), moment, ...listener })
  assert.ok(outcome.kind === 'done', JSON.stringify(outcome))
  return outcome.enrolment
}

function done<T extends { kind: string }>(outcome: T): Extract<T, { kind: 'done' }> {
  assert.equal(outcome.kind, 'done', JSON.stringify(outcome))
  return outcome as Extract<T, { kind: 'done' }>
}

function inUse(enrolment: Enrolment, identity: NodeIdentity): Enrolment {
  return use(enrolment, { identity, ...listener, at })
}

function refusal(
  outcome: { kind: string; reason?: string; text?: string },
  reason: string,
  says: RegExp,
): void {
  assert.equal(outcome.reason, reason, JSON.stringify(outcome))
  assert.match(outcome.text ?? '', says)
}

describe('enrolment', () => {
  it('makes a member of the node that an invite names, once', () => {
    const before = invited(nobodyEnrolled, 'lb01')
    const used = lastInvite(before)
    const outcome = done(redeem(before, { ...lb01, invite: used, moment, ...listener }))
    assert.equal(outcome.generation, 1)
    assert.deepEqual(membersOf(outcome.enrolment, 'web'), [{ name: 'lb01', ...listener, leastGeneration: 1 }])
    assert.deepEqual(admit(outcome.enrolment, certificate('lb01', 1)), { kind: 'ok' })
    const again = redeem(outcome.enrolment, {
      ...lb01,
      invite: lastInvite(outcome.enrolment),
      moment,
      ...listener,
    })
    refusal(again, 'used', /already used at 2026.*If that was not you.*witnessctl remove/)
  })

  it('takes no invite that is late, from before a reboot, replaced, withdrawn, unknown, or of another node', () => {
    const open = invited(nobodyEnrolled, 'lb01')
    const last = lastInvite(open)
    const tryWith = (
      enrolment: Enrolment,
      options: Partial<{ invite: InviteRecord | null; moment: Moment; node: string }>,
    ) => redeem(enrolment, { ...lb01, invite: last, moment, ...listener, ...options })
    const justInTime = { ...moment, atMs: moment.atMs + inviteMs - 1 }
    assert.equal(tryWith(open, { moment: justInTime }).kind, 'done')
    const late = { ...moment, atMs: moment.atMs + inviteMs }
    refusal(tryWith(open, { moment: late }), 'late', /expired 1 min ago \(an invite is valid for 15 min\)/)
    refusal(
      tryWith(open, { moment: { ...moment, bootId: 'boot-0002', atMs: 0 } }),
      'other-boot',
      /has rebooted/,
    )
    refusal(tryWith(open, { invite: null }), 'unknown', /does not know this invite.*witnessctl invite/)
    refusal(tryWith(open, { node: 'lb02' }), 'other-node', /is for web\/lb01, not for web\/lb02/)
    const newer = invited(open, 'lb01')
    refusal(tryWith(newer, { invite: newer.invites[0] ?? null }), 'replaced', /newer invite/)
    const removed = done(remove(invited(joined(nobodyEnrolled, 'lb01'), 'lb01'), { ...lb01, at })).enrolment
    refusal(tryWith(removed, { invite: lastInvite(removed) }), 'withdrawn', /removed at/)
  })

  it('has room for a pair, and says whom to remove for another', () => {
    const pair = joined(joined(nobodyEnrolled, 'lb01'), 'lb02')
    const third = invite(pair, { cluster: 'web', node: 'lb03', secretHash: 'f'.repeat(64), moment })
    refusal(
      third,
      'cluster-full',
      /web already has lb01 and lb02.*witnessctl remove --cluster web --node lb01/,
    )
    assert.equal(invite(pair, { ...lb01, secretHash: 'f'.repeat(64), moment }).kind, 'done')
    const removed = done(remove(pair, { ...lb01, at })).enrolment
    const without = settlePairs(removed, { cluster: 'web', node: 'lb02', members: ['lb02'] })
    assert.deepEqual(
      membersOf(joined(without, 'lb03'), 'web').map(({ name }) => name),
      ['lb02', 'lb03'],
    )
  })

  it('has no room for a third whose invite is older than the pair', () => {
    const open = invited(nobodyEnrolled, 'lb03')
    const third = lastInvite(open)
    const pair = joined(joined(open, 'lb01'), 'lb02')
    refusal(
      redeem(pair, { cluster: 'web', node: 'lb03', invite: third, moment, ...listener }),
      'cluster-full',
      /at most 2 nodes/,
    )
  })

  it('lets a node that is enrolled again go on with the old certificate until the new one is in use', () => {
    const again = joined(joined(nobodyEnrolled, 'lb01'), 'lb01')
    assert.equal(entryOf(again, lb01)?.generation, 2)
    assert.equal(admit(again, certificate('lb01', 1)).kind, 'ok')
    const used = inUse(again, certificate('lb01', 2))
    refusal(admit(used, certificate('lb01', 1)), 'superseded', /generation 1.*generation 2 has replaced it/)
    assert.equal(membersOf(used, 'web')[0]?.leastGeneration, 2)
  })

  it('refuses a removed node at once, its renewal too, and everything from before when it comes back', () => {
    const enrolled = done(
      renew(joined(nobodyEnrolled, 'lb01'), { identity: certificate('lb01', 1), at }),
    ).enrolment
    const removed = done(remove(enrolled, { ...lb01, at })).enrolment
    for (const generation of [1, 2, 3])
      refusal(admit(removed, certificate('lb01', generation)), 'removed', /was removed.*witnessctl invite/)
    refusal(renew(removed, { identity: certificate('lb01', 1), at }), 'removed', /was removed/)
    refusal(rotate(removed, lb01), 'removed', /was removed/)
    assert.deepEqual(membersOf(removed, 'web'), [])
    const back = joined(removed, 'lb01')
    assert.equal(admit(back, certificate('lb01', 3)).kind, 'ok')
    for (const generation of [1, 2])
      refusal(admit(back, certificate('lb01', generation)), 'superseded', /no longer valid/)
  })

  it('gives a new generation for each renewal, and ends the old one when the new one is in use', () => {
    const first = joined(nobodyEnrolled, 'lb01')
    const lost = done(renew(first, { identity: certificate('lb01', 1), at }))
    const renewed = done(renew(lost.enrolment, { identity: certificate('lb01', 1), at }))
    assert.deepEqual([lost.generation, renewed.generation], [2, 3])
    assert.equal(admit(renewed.enrolment, certificate('lb01', 1)).kind, 'ok')
    const used = inUse(renewed.enrolment, certificate('lb01', 3))
    for (const generation of [1, 2])
      assert.equal(admit(used, certificate('lb01', generation)).kind, 'refused')
    refusal(renew(used, { identity: certificate('lb01', 1), at }), 'superseded', /no longer valid/)
  })

  it('wishes for a new key until one that was made after the wish is in use', () => {
    const lost = done(renew(joined(nobodyEnrolled, 'lb01'), { identity: certificate('lb01', 1), at }))
    const asked = done(rotate(lost.enrolment, lb01)).enrolment
    assert.equal(entryOf(asked, lb01)?.rotateAbove, 2)
    assert.equal(entryOf(inUse(asked, certificate('lb01', 2)), lb01)?.rotateAbove, 2)
    const renewed = done(renew(asked, { identity: certificate('lb01', 1), at })).enrolment
    assert.equal(entryOf(renewed, lb01)?.rotateAbove, 2)
    assert.equal(entryOf(inUse(renewed, certificate('lb01', 3)), lb01)?.rotateAbove, null)
  })

  it('knows nobody whom it has not enrolled, whatever the certificate says', () => {
    const enrolled = joined(nobodyEnrolled, 'lb01')
    refusal(admit(enrolled, certificate('lb02', 1)), 'unknown', /not enrolled/)
    refusal(admit(enrolled, certificate('lb01', 1, 'db')), 'unknown', /not enrolled/)
    assert.equal(inUse(enrolled, certificate('lb02', 1)), enrolled)
    refusal(remove(enrolled, { cluster: 'db', node: 'lb01', at }), 'unknown', /never enrolled/)
    refusal(rotate(enrolled, { cluster: 'web', node: 'lb02' }), 'unknown', /witnessctl nodes/)
  })

  it('takes a certificate that it does not remember signing as proof that it was put back', () => {
    const restored = joined(nobodyEnrolled, 'lb01')
    assert.equal(isAheadOf(restored, certificate('lb01', 1)), false)
    assert.equal(isAheadOf(restored, certificate('lb01', 5)), true)
    const used = inUse(restored, certificate('lb01', 5))
    assert.equal(admit(used, certificate('lb01', 4)).kind, 'refused')
    assert.equal(done(renew(used, { identity: certificate('lb01', 5), at })).generation, 6)
  })

  describe('after the registry was lost', () => {
    const lost: Enrolment = { ...nobodyEnrolled, firstGeneration: 29_000_000, lostAt: at }

    it('takes nodes as they come while their cluster has room', () => {
      const one = inUse(lost, certificate('lb01', 7))
      const two = inUse(one, certificate('lb02', 3))
      assert.deepEqual(
        membersOf(two, 'web').map(({ name, leastGeneration }) => [name, leastGeneration]),
        [
          ['lb01', 7],
          ['lb02', 3],
        ],
      )
      refusal(admit(two, certificate('lb03', 1)), 'unknown', /not enrolled/)
      assert.equal(admit(two, certificate('lb01', 6)).kind, 'refused')
    })

    it('does not take back whom the admin removes then', () => {
      const thief = inUse(lost, certificate('lb00', 1))
      const removed = done(remove(thief, { cluster: 'web', node: 'lb00', at })).enrolment
      refusal(admit(removed, certificate('lb00', 9)), 'removed', /was removed/)
    })

    it('gives new certificates above all that were given away', () => {
      assert.equal(entryOf(joined(lost, 'lb01'), lb01)?.generation, 29_000_000)
      const adopted = inUse(lost, certificate('lb01', 7))
      assert.equal(done(renew(adopted, { identity: certificate('lb01', 7), at })).generation, 29_000_000)
    })
  })

  it('keeps a bounded number of invites, the open ones before the others', () => {
    let enrolment = nobodyEnrolled
    for (let number = 0; number < mostInvites; number += 1)
      enrolment = invited(enrolment, 'lb01', moment, `cluster-${number}`)
    const full = invite(enrolment, { ...lb01, secretHash: 'f'.repeat(64), moment })
    refusal(full, 'too-many', /100 invites are open/)
    const later = { ...moment, atMs: moment.atMs + inviteMs }
    const more = invited(enrolment, 'lb01', later)
    assert.equal(more.invites.length, mostInvites)
    assert.equal(more.invites[0]?.cluster, 'cluster-1', 'the oldest is forgotten')
  })

  it('never goes back with a generation, never exceeds a pair, and can always be kept, whatever happens', () => {
    const step = fc.record({
      what: fc.constantFrom('join', 'remove', 'renew', 'use', 'rotate'),
      node: fc.constantFrom('lb01', 'lb02', 'lb03'),
      generation: fc.integer({ min: 1, max: 6 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, wasLost) => {
        let now: Enrolment = wasLost ? { ...nobodyEnrolled, lostAt: at, firstGeneration: 3 } : nobodyEnrolled
        for (const { what, node, generation } of steps) {
          const before = now
          now = take(now, { what, node, generation })
          for (const entry of before.entries) {
            const after = entryOf(now, entry)
            assert.ok(after !== null && after.generation >= entry.generation)
            assert.ok(after.leastGeneration >= entry.leastGeneration)
            assert.ok(after.leastGeneration <= after.generation)
          }
          assert.ok(membersOf(now, 'web').length <= 2)
          assert.ok(enrolmentSchema.safeParse(now).success)
        }
      }),
    )
  })
})

function take(
  now: Enrolment,
  { what, node, generation }: { what: string; node: string; generation: number },
): Enrolment {
  const identity = certificate(node, generation)
  const next = (outcome: { kind: string; enrolment?: Enrolment }): Enrolment => outcome.enrolment ?? now
  switch (what) {
    case 'join': {
      const open = next(invite(now, { cluster: 'web', node, secretHash: 'f'.repeat(64), moment }))
      const outcome = redeem(open, { cluster: 'web', node, invite: lastInvite(open), moment, ...listener })
      return outcome.kind === 'done' ? outcome.enrolment : open
    }
    case 'remove':
      return next(remove(now, { cluster: 'web', node, at }))
    case 'renew':
      return next(renew(now, { identity, at }))
    case 'rotate':
      return next(rotate(now, { cluster: 'web', node }))
    default:
      return inUse(now, identity)
  }
}
