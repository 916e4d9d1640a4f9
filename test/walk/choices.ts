/** What may happen next: a fault (as long as there are any left), the end of one, or a step of time. */
import { witness } from '../../shared/protocol/names.ts'
import {
  copyOf,
  emptyState,
  isCut,
  longestHoldSteps,
  nodeNames,
  stepMs,
  type Disk,
  type NodeName,
  type Outage,
  type Party,
  type State,
  type Way,
} from './state.ts'
import { Play } from './play.ts'

export const faultKinds = [
  'cut', // a link, both ways; between the nodes the adverts are lost, too
  'one-way', // messages of one way are lost
  'hold', // messages of one way wait
  'isolate', // a node loses all of its links
  'vrrp', // adverts are lost, messages are not
  'crash-agent',
  'crash-witness',
  'reboot-node',
  'reboot-witness',
  'kill-keepalived', // and its VIP stays
  'promote', // keepalived becomes MASTER though it hears adverts
  'leave', // an admin takes a node away: keepalived ends, then the agent leaves its vote
  'slow-disk', // the next ballot takes a step
  'failing-disk', // the next ballot is not written, or is and nobody knows
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Choice {
  readonly name: string
  readonly costs: 0 | 1
  readonly play: (play: Play) => void
}

const links: Readonly<Record<string, readonly Way[]>> = {
  'lb01–witness': ['lb01>witness', 'witness>lb01'],
  'lb02–witness': ['lb02>witness', 'witness>lb02'],
  'lb01–lb02': ['lb01>lb02', 'lb02>lb01'],
}
const ways = Object.values(links).flat()
const everyWay = (name: NodeName): readonly Way[] => ways.filter((way) => way.split('>').includes(name))

/** Which node is first where both are due at one instant. */
const orders: readonly (readonly NodeName[])[] = [
  ['lb01', 'lb02'],
  ['lb02', 'lb01'],
]

const steps: readonly Choice[] = orders.map((order) => ({
  name: `step, ${order[0] ?? ''} first`,
  costs: 0,
  play: (play) => play.step(order),
}))

/** Which faults may come: of these kinds, and where words are given, only those whose name has one of them. */
export interface Faults {
  readonly kinds: ReadonlySet<FaultKind>
  readonly only: readonly string[] | null
}

export function choicesOf(state: State, { kinds, only }: Faults): Choice[] {
  const may = ({ kind, name }: Fault): boolean =>
    kinds.has(kind) && (only === null || only.some((word) => name.includes(word)))
  const faults = state.faultsLeft > 0 ? faultsOf(state).filter(may) : []
  const late = [...state.held].filter(([, { sinceMs }]) => state.atMs - sinceMs >= longestHoldSteps * stepMs)
  return [...(late.length === 0 ? steps : []), ...remediesOf(state), ...faults]
}

type Fault = Choice & { readonly kind: FaultKind }

function faultsOf(state: State): Fault[] {
  const isNew = ({ outage: { name } }: Breakable): boolean => state.outages.every((one) => one.name !== name)
  return [
    ...breakables
      .filter(isNew)
      .map(({ kind, outage }) => fault(kind, outage.name, (play) => play.breakOff(outage))),
    ...ways
      .filter((way) => !isCut(state, way) && !state.held.has(way))
      .map((way) => fault('hold', `hold ${way}`, (play) => play.hold(way))),
    ...nodeNames.flatMap((name) => faultsOfNode(state, name)),
    ...faultsOfWitness(state),
  ]
}

interface Breakable {
  readonly kind: FaultKind
  readonly outage: Outage
}

const breakables: readonly Breakable[] = [
  ...Object.entries(links).map(([link, both]): Breakable => ({
    kind: 'cut',
    outage: { name: `cut ${link}`, ways: both, mute: link === 'lb01–lb02' ? nodeNames : [] },
  })),
  ...ways.map((way): Breakable => ({
    kind: 'one-way',
    outage: { name: `lose ${way}`, ways: [way], mute: [] },
  })),
  ...nodeNames.map((name): Breakable => ({
    kind: 'isolate',
    outage: { name: `isolate ${name}`, ways: everyWay(name), mute: nodeNames },
  })),
  ...[nodeNames, ['lb01'] as const, ['lb02'] as const].map((nodes): Breakable => ({
    kind: 'vrrp',
    outage: { name: `lose the adverts of ${nodes.join(' and ')}`, ways: [], mute: nodes },
  })),
]

function fault(kind: FaultKind, name: string, deed: (play: Play) => void): Fault {
  const play = (on: Play): void => {
    on.state.faultsLeft -= 1
    deed(on)
  }
  return { kind, name, costs: 1, play }
}

function faultsOfNode(state: State, name: NodeName): Fault[] {
  const host = state.hosts[name]
  if (host.down) return []
  const runs = host.guard !== null
  return [
    ...(runs
      ? crashes(host.disk).map(({ landed, how }) =>
          fault('crash-agent', `crash the agent of ${name}${how}`, (play) => play.crashAgent(name, landed)),
        )
      : []),
    ...crashes(host.disk).map(({ landed, how }) =>
      fault('reboot-node', `power ${name} off${how}`, (play) => play.crashHost(name, landed)),
    ),
    ...(runs && host.leavingSinceMs === null
      ? [fault('leave', `shut ${name} down`, (play) => play.shutDown(name))]
      : []),
    ...(host.keepalived === 'STOP'
      ? []
      : [fault('kill-keepalived', `kill keepalived of ${name}`, (play) => play.killKeepalived(name))]),
    ...(host.keepalived === 'BACKUP'
      ? [fault('promote', `promote ${name}`, (play) => play.promote(name))]
      : []),
    ...(runs ? faultsOfDisk(host.disk, name) : []),
  ]
}

function faultsOfWitness(state: State): Fault[] {
  if (state.arbiter === null) return []
  const marks = ['kept', 'lost'] as const
  return [
    ...marks.flatMap((kept) =>
      crashes(state.disk).map(({ landed, how }) =>
        fault(
          kept === 'kept' ? 'crash-witness' : 'reboot-witness',
          `${kept === 'kept' ? 'crash the witness' : 'power the witness off'}${how}`,
          (play) => play.crashWitness({ landed, marks: kept }),
        ),
      ),
    ),
    ...faultsOfDisk(state.disk, witness),
  ]
}

/** A write that is under way has reached the disk, or has not. */
function crashes({ writing }: Disk): { landed: boolean; how: string }[] {
  if (writing === null) return [{ landed: false, how: '' }]
  return [
    { landed: false, how: ', its ballot is lost' },
    { landed: true, how: ', its ballot is on disk' },
  ]
}

function faultsOfDisk({ next, writing }: Disk, of: Party): Fault[] {
  if (next !== 'quick' || writing !== null) return []
  const diskOf = ({ state }: Play): Disk => (of === witness ? state.disk : state.hosts[of].disk)
  const becomes = (kind: FaultKind, what: Disk['next']): Fault =>
    fault(kind, `the next ballot of ${of} is written: ${what}`, (play) => {
      diskOf(play).next = what
    })
  return [
    becomes('slow-disk', 'slow'),
    becomes('failing-disk', 'fails, landed'),
    becomes('failing-disk', 'fails, lost'),
  ]
}

/** What ends a fault costs nothing, and may come at any time. */
function remediesOf(state: State): Choice[] {
  return [
    ...state.outages.map(({ name }) => remedy(`end: ${name}`, (play) => play.mend(name))),
    ...[...state.held.keys()].map((way) => remedy(`let through ${way}`, (play) => play.release(way))),
    ...nodeNames
      .filter((name) => state.hosts[name].guard === null)
      .map((name) =>
        remedy(`start ${state.hosts[name].down ? name : `the agent of ${name}`}`, (play) =>
          play.startAgent(name),
        ),
      ),
    ...(state.arbiter === null ? [remedy('start the witness', (play) => play.startWitness())] : []),
  ]
}

function remedy(name: string, play: Choice['play']): Choice {
  return { name, costs: 0, play }
}

/** Every fault ends. */
export function heal(state: State): State {
  const healed = copyOf(state)
  const play = new Play(healed)
  for (const { name } of healed.outages) play.mend(name)
  for (const way of [...healed.held.keys()]) play.release(way)
  if (healed.arbiter === null) play.startWitness()
  for (const name of nodeNames) {
    if (healed.hosts[name].leavingSinceMs !== null) play.powerOff(name)
    if (healed.hosts[name].guard === null) play.startAgent(name)
  }
  healed.faultsLeft = 0
  for (const disk of [healed.disk, ...nodeNames.map((name) => healed.hosts[name].disk)]) disk.next = 'quick'
  return healed
}

export function next(state: State, choice: Choice): State {
  const after = copyOf(state)
  choice.play(new Play(after))
  return after
}

/** Everything is started for the first time. */
export function startState(): State {
  return heal(emptyState())
}

/** One step without any fault. */
export function quietStep(state: State): State {
  const after = copyOf(state)
  new Play(after).step(nodeNames)
  return after
}
