/** Plays keys without hands: what `--play` may say, and what becomes of it. */
import { assertNever } from '../../shared/assert-never.ts'
import type { ClusterView, NodeInstanceView } from '../../shared/protocol/view.ts'
import type { Happening } from './happening.ts'

export type Step =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'wait'; readonly durationMs: number }
  /** Waits for an event since the last key; `from` null: of whichever program. */
  | { readonly type: 'until'; readonly from: string | null; readonly event: string }
  | { readonly type: 'calm' }

/** `mistake`: the play cannot be read. `missed`: something that it waits for did not come. */
export class PlayError extends Error {
  readonly code: 'mistake' | 'missed'

  constructor(code: PlayError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface Stage {
  /** All that has happened, the oldest first; it grows. */
  readonly happenings: readonly Happening[]
  press(key: string): Promise<void>
  /** Null: the witness does not answer. */
  view(): Promise<ClusterView | null>
}

/** A lost claim costs keepalived a whole master-down time, and a fence its hold-down. */
const patienceMs = 40_000
const lookEveryMs = 200

/** @throws PlayError that says what a play is made of */
export function parsePlay(text: string, keys: readonly string[]): Step[] {
  const words = text.split(/\s+/).filter((word) => word !== '')
  const steps: Step[] = []
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (keys.includes(word)) steps.push({ type: 'key', key: word })
    else if (word === 'calm') steps.push({ type: 'calm' })
    else if (word === 'wait') steps.push(parseWait(words.shift()))
    else if (word === 'until') steps.push(parseUntil(words.shift()))
    else
      throw new PlayError(
        'mistake',
        `"${word}" is not a step: write keys (${keys.join(' ')}), "wait SECONDS", "until EVENT", "until NODE/EVENT", or "calm"`,
      )
  }
  return steps
}

function parseWait(word = ''): Step {
  if (!/^\d+(\.\d+)?$/.test(word))
    throw new PlayError('mistake', `"wait" needs a number of seconds, not "${word}"`)
  return { type: 'wait', durationMs: Number(word) * 1000 }
}

function parseUntil(word = ''): Step {
  const [, from = null, event] = /^(?:([^/]+)\/)?([^/]+)$/.exec(word) ?? []
  if (event === undefined)
    throw new PlayError('mistake', `"until" needs an event like fenced or lb02/fenced, not "${word}"`)
  return { type: 'until', from, event }
}

/** @throws PlayError */
export async function play(steps: readonly Step[], stage: Stage): Promise<void> {
  let atLastKey = stage.happenings.length
  for (const step of steps) {
    switch (step.type) {
      case 'key':
        atLastKey = stage.happenings.length
        await stage.press(step.key)
        break
      case 'wait':
        await pause(step.durationMs)
        break
      case 'until': {
        const { from, event } = step
        await eventually(`the event ${event} of ${from ?? 'any program'}`, () =>
          stage.happenings
            .slice(atLastKey)
            .some((one) => one.event === event && one.from.startsWith(from ?? '')),
        )
        break
      }
      case 'calm':
        await reachCalm(stage)
        break
      default:
        assertNever(step)
    }
  }
}

/** The preferred node holds the lease and the VIP, the other one is a standby that could take over. @throws PlayError */
export function reachCalm(stage: Pick<Stage, 'view'>): Promise<void> {
  return eventually('one holder and one standby', async () => {
    const view = await stage.view()
    return view !== null && isCalm(view)
  })
}

function isCalm({ instances, nodes }: ClusterView): boolean {
  const states = nodes.flatMap(({ instances }) => instances)
  // keepalived preempts here: any other holder would have to hand over soon.
  const [preferred, other, ...more] = states.sort((one, another) => another.priority - one.priority)
  return (
    preferred !== undefined &&
    other !== undefined &&
    more.length === 0 &&
    instances.every(({ situation }) => situation === 'normal') &&
    isLike(preferred, { keepalived: 'MASTER', vips: 'held', allowed: 'holds the lease' }) &&
    isLike(other, { keepalived: 'BACKUP', vips: 'gone', allowed: 'may become MASTER' })
  )
}

type Standing = Pick<NodeInstanceView, 'keepalived' | 'vips' | 'allowed'>

function isLike(state: Standing, { keepalived, vips, allowed }: Standing): boolean {
  return state.keepalived === keepalived && state.vips === vips && state.allowed === allowed
}

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs)
      throw new PlayError('missed', `${what} did not come within ${patienceMs / 1000} s`)
    await pause(lookEveryMs)
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
