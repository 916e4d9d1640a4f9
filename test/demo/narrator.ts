/** Tells on the terminal what happens, while it happens. */
import { type LabNode } from '../lab/address-plan.ts'
import { type Arbiter } from '../lab/arbiter.ts'
import { type OwnershipChange } from '../lab/vip-ownership.ts'
import { type Paint } from '../../server/witnessctl/paint.ts'
import { padTo, displayWidth } from './display-width.ts'
import { durationText } from './duration.ts'
import { type Listener } from './pair.ts'
import { type Texts } from './texts.ts'

export function narrate(options: {
  texts: Texts
  paint: Paint
  say: (text: string) => void
  startedAtMs: number
}): Listener {
  const { texts, paint, say, startedAtMs } = options
  const warm = new Set<Arbiter>()
  const blockedAtMs = new Map<Arbiter, number>()
  const healed = new Set<Arbiter>()
  const lastTaken = new Map<Arbiter, { node: LabNode; atMs: number }>()
  const pairWidth = Math.max(...Object.values(texts.pair).map(displayWidth))

  return {
    warm: (arbiter) => {
      warm.add(arbiter)
      if (warm.size === 2) say(texts.warm(durationText(Date.now() - startedAtMs)))
    },
    blocked: (arbiter, atMs) => {
      if (blockedAtMs.size === 0) say(paint(texts.blocked, 'bold'))
      blockedAtMs.set(arbiter, atMs)
    },
    change: (arbiter, change) => {
      const sinceMs = change.atMs - (blockedAtMs.get(arbiter) ?? change.atMs)
      const at = `+${(sinceMs / 1000).toFixed(3)} s`.padStart(11)
      say(`${at}  ${padTo(texts.pair[arbiter], pairWidth)}  ${changeText(arbiter, change)}`)
    },
    admitted: (arbiter) => {
      if (healed.size === 0) say(paint(texts.admitted, 'bold'))
      healed.add(arbiter)
    },
  }

  /** lb01 has the VIP when the fault begins, so if lb02 takes it, two nodes have it. */
  function changeText(arbiter: Arbiter, { node, has, atMs }: OwnershipChange): string {
    const { live } = texts
    if (has) {
      lastTaken.set(arbiter, { node, atMs })
      return node === 'lb02' ? paint(live.splits(node), 'red') : live.gained(node)
    }
    const taken = lastTaken.get(arbiter)
    return taken?.node === 'lb02' && node === 'lb02'
      ? paint(live.ends(node, durationText(atMs - taken.atMs)), arbiter === 'witness' ? 'green' : 'yellow')
      : live.lost(node)
  }
}
