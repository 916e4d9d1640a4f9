/** What the witness does (server/core/arbiter/arbiter.ts): each situation of the vote, reached by driving the arbiter, against each event. */
import type { Report } from '../../shared/protocol/report.ts'
import {
  claimMs,
  claiming,
  instance,
  peerUnheard,
  released,
  renewMs,
  reserveMs,
  silentAfterMs,
  Witness,
  type Agent,
} from '../unit/server/clusters/cluster-fixture.ts'
import { arbiterEffectWord, pledgeWord } from './notation.ts'
import type { Cell, Families, Group, Outcome } from './table.ts'

/** A witness, the agents of its pair, and what happened so far. */
interface Scene {
  readonly witness: Witness
  readonly lb01: Agent
  readonly lb02: Agent
  /** What both report of each other. */
  readonly view?: Partial<Report>
}

/** Both nodes stand by, and no promise from before the start can be in use. */
function settled(): Scene {
  const witness = Witness.settled()
  const [lb01, lb02] = witness.agents()
  return { witness, lb01, lb02 }
}

function promised(): Scene {
  const scene = settled()
  scene.lb01.win(5)
  scene.witness.pass(renewMs / 2)
  return scene
}

function recording(): Scene {
  const scene = settled()
  scene.lb01.beat(claiming(5))
  return scene
}

function restarted(how: { marks: boolean }): Scene {
  const before = promised()
  const witness = before.witness.restarted({ ...how, downMs: renewMs })
  const [lb01, lb02] = [witness.agent('lb01'), witness.agent('lb02')]
  lb02.beat()
  lb01.beat({ ...released, release: false, phase: 'standby', epoch: 5, witnessEpoch: 5 })
  return { witness, lb01, lb02 }
}

/** The agent of lb01 is dead, its promise has run out, and lb02 stands by. */
function agentDead(): Scene {
  const scene = promised()
  scene.witness.echo('lb01', 1, 2)
  scene.witness.pass(reserveMs + renewMs, scene.lb02)
  return scene
}

interface Chapter {
  readonly title: string
  readonly about: string
  readonly situations: Readonly<Record<string, () => Scene>>
}

const chapters: readonly Chapter[] = [
  {
    title: 'Witness: nobody has its vote',
    about:
      'free: both nodes stand by and hear each other. contest: they do not, lb01 claimed, and a rival claim is awaited. dead: lb01’s agent is silent (its host answers ICMP) and the promise to it has run out; lb02 stands by. alone: the same, and lb02 is silent, too.',
    situations: {
      free: settled,
      contest: () => {
        const scene = { ...settled(), view: peerUnheard }
        scene.lb02.beat(peerUnheard)
        scene.lb01.beat({ ...claiming(scene.witness.state().voter.epoch + 1), ...peerUnheard })
        return scene
      },
      dead: agentDead,
      alone: () => {
        const scene = agentDead()
        scene.witness.pass(silentAfterMs)
        return scene
      },
    },
  },
  {
    title: 'Witness: its vote is lb01’s',
    about: `recording: the ballot for lb01 is being written. promised: lb01 holds and renewed ${renewMs / 2} ms ago. silent: lb01’s agent is silent for ${silentAfterMs + renewMs / 2} ms since (its host answers ICMP). clone: a second live agent calls itself lb01.`,
    situations: {
      recording,
      promised,
      silent: () => {
        const scene = promised()
        scene.witness.echo('lb01', 1, 2)
        scene.witness.pass(silentAfterMs, scene.lb02)
        return scene
      },
      clone: () => {
        const scene = promised()
        scene.witness.agent('lb01', { incarnation: 'clone-start-1', bootId: 'clone-boot-1' }).beat()
        return scene
      },
    },
  },
  {
    title: 'Witness: a drill',
    about:
      'calm: lb01 holds and lb02 stands by, both have read an answer. ordered: a drill of lb02 was ordered just now. switching: lb01 was told to let go in a drill, and has proved it.',
    situations: {
      calm,
      ordered: () => {
        const scene = calm()
        askDrill(scene, 'lb02')
        return scene
      },
      switching: () => {
        const scene = calm()
        askDrill(scene, 'lb01')
        scene.lb01.beat(released)
        scene.witness.feed({
          type: 'drilled',
          atMs: scene.witness.atMs,
          connection: scene.lb01.connection,
          drilled: {
            type: 'drilled',
            instance,
            role: 'holder',
            result: 'passed',
            rungs: [{ rung: 'bar', proved: true, tookMs: 4 }],
            backMs: 20,
            text: 'as it should be',
          },
        })
        return scene
      },
    },
  },
  {
    title: 'Witness: lb01 has its vote, and lb02 shows the VIP, too',
    about:
      'dual: for 90 ms. paused: for 1 s, but the witness stood still meanwhile, and no report is newer than that.',
    situations: {
      dual: () => {
        const scene = dual()
        scene.witness.pass(90, scene.lb01)
        return scene
      },
      paused: () => {
        const scene = dual()
        standStill(scene)
        return scene
      },
    },
  },
  {
    title: 'Witness: it has restarted while lb01 held',
    about:
      'marked: with its marks. rebooted: without its marks. lost: its ledger was lost. Both agents are connected again; lb01 has reported that it was granted the recorded epoch.',
    situations: {
      marked: () => restarted({ marks: true }),
      rebooted: () => restarted({ marks: false }),
      lost: () => {
        const witness = new Witness({ recovered: { ballots: new Map(), others: 'lost' } })
        const [lb01, lb02] = witness.agents()
        return { witness, lb01, lb02 }
      },
    },
  },
]

/** lb01 holds, and lb02 has just shown the VIP without asking for a vote. */
function dual(): Scene {
  const scene = promised()
  scene.lb02.beat({ ...claiming(5), ask: null })
  return scene
}

/** lb01 holds, lb02 stands by, and both have read the witness's answers. */
function calm(): Scene {
  const scene = promised()
  scene.lb02.beat()
  scene.witness.pass(2 * renewMs, scene.lb01, scene.lb02)
  return scene
}

function askDrill({ witness }: Scene, node: string): void {
  witness.feed({ type: 'drill', atMs: witness.atMs, request: 1, node, includingHolder: true })
}

function standStill({ witness }: Scene): void {
  witness.atMs += 1000
  witness.feed({ type: 'resumed', atMs: witness.atMs, gapMs: 1000, jumpedMs: 0 })
}

interface Plot {
  readonly play: (scene: Scene) => void
  /** It takes time: only what is told and ordered is news. */
  readonly lasts?: boolean
}

const beats = (node: 'lb01' | 'lb02', reportOf: (epoch: number) => Partial<Report>): Plot => ({
  play: (scene) => {
    const { epoch } = scene.witness.state().voter
    scene[node].beat({ ...scene.view, ...reportOf(epoch) })
  },
})

const checks = (node: string): Plot => ({ play: ({ witness }) => void witness.check(node) })

function asksDrill(node: string, includingHolder: boolean): Plot {
  return {
    play: ({ witness }) =>
      void witness.feed({ type: 'drill', atMs: witness.atMs, request: 1, node, includingHolder }),
  }
}

const passes = (durationMs: number, beating: readonly ('lb01' | 'lb02')[]): Plot => ({
  play: (scene) => scene.witness.pass(durationMs, ...beating.map((node) => scene[node])),
  lasts: true,
})

const recordingNow = ({ witness }: Scene): boolean => witness.state().voter.pledge.phase === 'recording'

const plots: Readonly<Record<string, Plot>> = {
  'lb01 asks under e': beats('lb01', claiming),
  'lb01 asks under e+1': beats('lb01', (epoch) => claiming(epoch + 1)),
  'lb02 asks under e+1': beats('lb02', (epoch) => claiming(epoch + 1)),
  'lb02 asks under e+1, hears no lb01': beats('lb02', (epoch) => ({
    ...claiming(epoch + 1),
    ...peerUnheard,
  })),
  'lb01 gives the vote back': beats('lb01', () => released),
  'lb02 gives the vote back': beats('lb02', () => released),
  'lb01 knows of a grant under e+1': beats('lb01', (epoch) => ({
    epoch: epoch + 1,
    witnessEpoch: epoch + 1,
  })),
  'an old beat of lb01 again': { play: ({ lb01 }) => void lb01.say([], lb01.seq) },
  'check of lb01': checks('lb01'),
  'check of lb02': checks('lb02'),
  'an admin asks for a drill of lb02': asksDrill('lb02', false),
  'an admin asks for a drill of lb01, holder or not': asksDrill('lb01', true),
  'lb02 says that its drill passed': {
    play: ({ witness, lb02 }) =>
      void witness.feed({
        type: 'drilled',
        atMs: witness.atMs,
        connection: lb02.connection,
        drilled: {
          type: 'drilled',
          instance,
          role: 'standby',
          result: 'passed',
          rungs: [{ rung: 'bar', proved: true, tookMs: 4 }],
          backMs: 20,
          text: 'as it should be',
        },
      }),
  },
  'the ballot is on disk': {
    play: (scene) => {
      if (recordingNow(scene)) scene.witness.written()
    },
  },
  'the ballot cannot be written': {
    play: (scene) => {
      if (recordingNow(scene)) scene.witness.writeFails()
    },
  },
  'the connection of lb01 ends': { play: ({ lb01 }) => void lb01.close() },
  'lb01’s agent restarts': {
    play: ({ witness }) => void witness.agent('lb01', { incarnation: 'lb01-start-2' }),
  },
  'a clone calls itself lb01': {
    play: ({ witness }) =>
      void witness.agent('lb01', { incarnation: 'other-start-1', bootId: 'other-boot-1' }),
  },
  'strangers: check of lb03, agent of lb03, foreign agent': {
    play: ({ witness }) => {
      witness.check('lb03')
      witness.agent('lb03')
      witness.agent('lb01', { cluster: 'mail' })
    },
  },
  'the contest’s moment is over': {
    play: ({ witness }) => {
      witness.atMs += claimMs / 2
      witness.feed({ type: 'tick', atMs: witness.atMs })
    },
  },
  '2.2 s: both beat': passes(2200, ['lb01', 'lb02']),
  '2.2 s: lb01 silent': passes(2200, ['lb02']),
  '2.2 s: both silent': passes(2200, []),
  'paused 1 s': { play: standStill },
}

const routine = new Set(['send', 'mark'])

function outcomeOf(build: () => Scene, { play, lasts = false }: Plot): Outcome | null {
  const scene = build()
  const { witness } = scene
  const before = voteWord(scene)
  const { epoch } = witness.state().voter
  const told = witness.happened.length
  play(scene)
  const words = witness.happened
    .slice(told)
    .filter((effect) => !lasts || !routine.has(effect.type) || isOrder(effect))
    .map((effect) => arbiterEffectWord(effect, { atMs: witness.atMs, epoch }, namesOf(scene)))
    .filter((word) => word !== null)
  const becomes = voteWord(scene) === before ? '' : voteWord(scene)
  const effects = lasts ? [...new Set(words)] : words
  return becomes === '' && effects.length === 0 ? null : { becomes, effects }
}

function isOrder(effect: Witness['happened'][number]): boolean {
  return effect.type === 'send' && effect.message.type === 'order'
}

/** A newcomer's connection has no agent of the pair behind it. */
function namesOf({ lb01, lb02 }: Scene): (connection: number) => string {
  return (connection) =>
    connection === lb01.connection ? 'lb01' : connection === lb02.connection ? 'lb02' : 'newcomer'
}

function voteWord({ witness }: Scene): string {
  const { voter, contest } = witness.state()
  return contest === null ? pledgeWord(voter.pledge) : 'contested'
}

export function arbiterGroups(): Group[] {
  return chapters.map(({ title, about, situations }) => ({
    title,
    about,
    situations: Object.keys(situations),
    cells: Object.entries(situations).flatMap(([situation, build]) =>
      Object.entries(plots).map(([event, plot]): Cell => ({
        situation,
        event,
        outcome: outcomeOf(build, plot),
      })),
    ),
  }))
}

export const arbiterFamilies: Families = {
  'any check': ['check of lb01', 'check of lb02'],
  'any silence': ['2.2 s: lb01 silent', '2.2 s: both silent'],
  'lb02 asks': ['lb02 asks under e+1', 'lb02 asks under e+1, hears no lb01'],
  'another agent calls itself lb01': ['lb01’s agent restarts', 'a clone calls itself lb01'],
}
