/** Whether the demo shows what it promises to show. Pure. */
import { instance } from '../lab/address-plan.ts'
import { type MeasuredRun } from '../lab/measured-run.ts'
import { fencesOf, overlapBoundMs } from '../lab/musts.ts'

/** What was promised but did not happen, with what was seen instead. */
export type Broken =
  | { readonly promise: 'alone-splits' | 'witness-ends-split'; readonly seenMs: number }
  | { readonly promise: 'split-came' | 'loser-fenced-once'; readonly times: number }
  | {
      readonly promise: 'holder-keeps-vip' | 'one-owner-at-end' | 'loser-back'
      readonly seen: string
    }
  | { readonly promise: 'never-without-owner'; readonly seenMs: number }
  | { readonly promise: 'loser-stopped' }

/** A split shorter than this is one that nobody would notice. */
const splitAtLeastMs = 1000

export function brokenPromises(pairs: { alone: MeasuredRun; witness: MeasuredRun }): Broken[] {
  const { alone, witness } = pairs
  const broken: Broken[] = []
  const { overlapMs } = alone.fault
  if (alone.fault.ownersAtEnd.length < 2 || overlapMs < splitAtLeastMs)
    broken.push({ promise: 'alone-splits', seenMs: overlapMs })
  const { fault, healed, whole } = witness
  if (fault.takeovers.lb02 !== 1) broken.push({ promise: 'split-came', times: fault.takeovers.lb02 })
  if (whole.overlapMs > overlapBoundMs)
    broken.push({ promise: 'witness-ends-split', seenMs: whole.overlapMs })
  if (whole.outageMs > 0) broken.push({ promise: 'never-without-owner', seenMs: whole.outageMs })
  if (fault.ownersAtEnd.join() !== 'lb01')
    broken.push({ promise: 'holder-keeps-vip', seen: fault.ownersAtEnd.join(', ') })
  const fences = fencesOf(witness, 'lb02')
  if (fences !== 1) broken.push({ promise: 'loser-fenced-once', times: fences })
  if (witness.faultEnd.keepalivedRuns.lb02) broken.push({ promise: 'loser-stopped' })
  if (healed.ownersAtEnd.join() !== 'lb01')
    broken.push({ promise: 'one-owner-at-end', seen: healed.ownersAtEnd.join(', ') })
  const state = loserState(witness)
  if (state !== 'BACKUP') broken.push({ promise: 'loser-back', seen: state })
  return broken
}

/** The state of keepalived on lb02 at the end, as the witness knows it. */
export function loserState({ end }: MeasuredRun): string {
  if (!end.keepalivedRuns.lb02) return 'STOP'
  const reported = end.view?.nodes.find(({ node }) => node === 'lb02')?.instances
  return reported?.find((each) => each.instance === instance)?.keepalived ?? 'UNKNOWN'
}
