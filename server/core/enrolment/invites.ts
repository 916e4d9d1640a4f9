/** Invites: each is one line that lets one node join once, before it expires. */
import {
  type Enrolment,
  type Entry,
  type InviteOutcome,
  type InviteRecord,
  type Moment,
  type NodeKey,
  type RedeemOutcome,
  type RedeemRefusal,
  type Refused,
  entryOf,
  inviteMs,
  makeAnother,
  mostInvites,
  nextGeneration,
  refuse,
  whyNoRoom,
  withEntry,
} from './record.ts'
import { whyPairMayServe } from './former-pairs.ts'

/** Creates an invite. It ends an earlier one for the same node, so that only one is valid at a time. */
export function invite(
  enrolment: Enrolment,
  { secretHash, cluster, node, moment }: NodeKey & { secretHash: string; moment: Moment },
): InviteOutcome {
  const refusal = whyNoRoom(enrolment, { cluster, node })
  if (refusal !== null) return refusal
  const others = endInvites(enrolment.invites, { cluster, node }, { how: 'replaced', at: moment.at })
  const kept = forgetOldest(others, moment)
  if (kept.length >= mostInvites)
    return refuse(
      'too-many',
      `${mostInvites} invites are open, which is the limit; wait until some of them have expired`,
    )
  const added: InviteRecord = {
    secretHash,
    cluster,
    node,
    bootId: moment.bootId,
    endsAtMs: moment.atMs + inviteMs,
    spent: null,
  }
  return { kind: 'done', enrolment: { ...enrolment, invites: [...kept, added] } }
}

/**
 * Uses an invite to enrol its node.
 * @param options.invite the invite with the secret that was presented; null: there is none
 */
export function redeem(
  enrolment: Enrolment,
  options: NodeKey & {
    invite: InviteRecord | null
    moment: Moment
    address: string
    port: number
  },
): RedeemOutcome {
  const { invite, moment, cluster, node, address, port } = options
  const refusal = whyNotRedeemed(enrolment, options)
  if (refusal !== null) return refusal
  const known = entryOf(enrolment, { cluster, node })
  const generation = nextGeneration(enrolment, known)
  const entry: Entry = {
    cluster,
    node,
    address,
    port,
    generation,
    // Certificates from before a removal stay refused. A node that is enrolled again without a removal can use its old
    // certificate until it uses the new one.
    leastGeneration: known === null || known.removed ? generation : known.leastGeneration,
    rotateAbove: null,
    enrolledAt: moment.at,
    renewedAt: moment.at,
    removed: false,
  }
  const invites = enrolment.invites.map((one) =>
    one === invite ? { ...one, spent: { how: 'used' as const, at: moment.at } } : one,
  )
  return { kind: 'done', generation, enrolment: { ...withEntry(enrolment, entry), invites } }
}

/** Why `redeem` would refuse, to be asked before anything costly is done; null: it would not. */
export function whyNotRedeemed(
  enrolment: Enrolment,
  { invite, moment, cluster, node }: NodeKey & { invite: InviteRecord | null; moment: Moment },
): Refused<RedeemRefusal> | null {
  if (invite === null)
    return refuse('unknown', `this witness does not know this invite; ${makeAnother({ cluster, node })}`)
  if (invite.cluster !== cluster || invite.node !== node)
    return refuse(
      'other-node',
      `this invite is for ${invite.cluster}/${invite.node}, not for ${cluster}/${node}; ${makeAnother({ cluster, node })}`,
    )
  if (invite.spent !== null) return refuseSpent(invite.spent, { cluster, node })
  if (invite.bootId !== moment.bootId)
    return refuse(
      'other-boot',
      `the witness host has rebooted since this invite was created, which ends all invites; ${makeAnother({ cluster, node })}`,
    )
  if (moment.atMs >= invite.endsAtMs)
    return refuse(
      'late',
      `this invite expired ${Math.max(1, Math.round((moment.atMs - invite.endsAtMs) / 60_000))} min ago (an invite is valid for ${inviteMs / 60_000} min); ${makeAnother({ cluster, node })}`,
    )
  return whyNoRoom(enrolment, { cluster, node }) ?? whyPairMayServe(enrolment, { cluster, node })
}

export function endInvites(
  invites: readonly InviteRecord[],
  { cluster, node }: NodeKey,
  spent: NonNullable<InviteRecord['spent']>,
): InviteRecord[] {
  return invites.map((one) =>
    one.cluster === cluster && one.node === node && one.spent === null ? { ...one, spent } : one,
  )
}

/** Makes room for one more invite by forgetting the oldest that are not open. */
function forgetOldest(invites: readonly InviteRecord[], moment: Moment): InviteRecord[] {
  let surplus = invites.length - (mostInvites - 1)
  return invites.filter((one) => {
    const isOpen = one.spent === null && one.bootId === moment.bootId && moment.atMs < one.endsAtMs
    if (isOpen || surplus <= 0) return true
    surplus -= 1
    return false
  })
}

function refuseSpent({ how, at }: NonNullable<InviteRecord['spent']>, key: NodeKey): Refused<RedeemRefusal> {
  switch (how) {
    case 'used':
      return refuse(
        'used',
        `this invite was already used at ${at}. If that was not you, somebody else has the invite, so run "witnessctl remove --cluster ${key.cluster} --node ${key.node}" at once. Otherwise ${makeAnother(key)}`,
      )
    case 'replaced':
      return refuse('replaced', `a newer invite was created for this node at ${at}; use that one`)
    case 'withdrawn':
      return refuse(
        'withdrawn',
        `this node was removed at ${at}, which ended its invite; ${makeAnother(key)}`,
      )
  }
}
