/** Whether witness and peer are reached from here, as who they should be, over what the agent itself uses. */
import { connect } from 'node:tls'
import { z } from 'zod'
import type { Credentials } from '../../../shared/identity/credentials.ts'
import { messageOf } from '../../../shared/error-message.ts'
import type { Member } from '../../../shared/protocol/plan.ts'
import { identityCheck, secureContextOf } from '../../../shared/network/secure-server.ts'
import {
  askWitness,
  endpointOf,
  problemDetail,
  type WitnessAnswer,
} from '../../../shared/network/witness-request.ts'
import { refusalOfPeer } from '../../voters/identity.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const patienceMs = 3000
/** Nothing is decided on the wall clock; certificates and events are easier to read where it is right. */
const clockHintMs = 60_000
const oldDrillMs = 180 * 86_400_000

const viewSchema = z.object({
  nodes: z.array(
    z.object({
      node: z.string(),
      connected: z.boolean(),
      warnings: z.array(z.string()),
      lastDrill: z.object({ at: z.string() }).nullable().default(null),
    }),
  ),
})

export interface Asked {
  readonly witness: string
  readonly cluster: string
  readonly node: string
  readonly credentials: Credentials
  /** The wall clock, for the hint and for the age of a drill. */
  readonly nowMs: number
}

/** The witness answers as the witness, hears this node, and has its word on the last drill. */
export async function checkWitness(asked: Asked): Promise<readonly Finding[]> {
  const { witness, cluster, node, nowMs } = asked
  let answer: WitnessAnswer
  const startedAtMs = performance.now()
  try {
    answer = await ask(asked)
  } catch (cause) {
    return [
      fail(
        'witness',
        `the witness at ${witness} is not reached (${messageOf(cause)})`,
        'look whether witnessd runs there, whether a firewall drops its port, and whether "witness" in agent.yaml is right',
      ),
    ]
  }
  const tookMs = performance.now() - startedAtMs
  const { status, text, dateMs } = answer
  if (status !== 200)
    return [
      fail(
        'witness',
        `the witness at ${witness} answers HTTP ${status}: ${problemDetail(text) ?? text.slice(0, 200)}`,
        status === 403 || status === 401
          ? `enrol this node again: "witnessctl invite --cluster ${cluster} --node ${node}", then "witness-agent join"`
          : 'look at the log of witnessd',
      ),
    ]
  const view = viewSchema.safeParse(parseJson(text))
  if (!view.success)
    return [
      fail(
        'witness',
        `${witness} answers what this agent does not understand`,
        'install the same version on all hosts',
      ),
    ]
  const own = view.data.nodes.find((each) => each.node === node)
  return [
    ok('witness', `${witness} answers as the witness after ${Math.round(tookMs)} ms`),
    own?.connected === true
      ? ok('heartbeat', `the witness hears the agent of ${node}`)
      : fail(
          'heartbeat',
          `the witness does not hear the agent of ${node}`,
          'start it ("systemctl start witness-agent") and look at its log',
        ),
    ...(own?.warnings ?? []).map((text) => warn('agent-warning', text, 'the agent itself warns of this')),
    hintOfClock(dateMs === null ? null : nowMs - dateMs),
    lastDrill(own?.lastDrill?.at ?? null, { node, nowMs }),
  ]
}

function hintOfClock(differenceMs: number | null): Finding {
  if (differenceMs === null || Math.abs(differenceMs) <= clockHintMs)
    return ok('wall-clock', 'the wall clock is about that of the witness (nothing is decided on it)')
  return warn(
    'wall-clock',
    `the wall clock is ${Math.round(Math.abs(differenceMs) / 1000)} s ${differenceMs > 0 ? 'ahead of' : 'behind'} the witness's; nothing is decided on it, but logs are hard to compare`,
    'let NTP set it on both hosts',
  )
}

function lastDrill(at: string | null, { node, nowMs }: { node: string; nowMs: number }): Finding {
  const remedy = `"witnessctl drill --node ${node}" on the witness host`
  if (at === null) return warn('drill', `the fence of ${node} was never proved end to end`, remedy)
  const ageMs = nowMs - Date.parse(at)
  if (ageMs > oldDrillMs)
    return warn('drill', `the last drill of ${node} was ${Math.round(ageMs / 86_400_000)} days ago`, remedy)
  return ok('drill', `the last drill of ${node} passed at ${at}`)
}

function ask({ witness, cluster, credentials }: Asked): Promise<WitnessAnswer> {
  return askWitness({
    ...endpointOf(witness),
    method: 'GET',
    path: `/api/v1/clusters/${encodeURIComponent(cluster)}`,
    body: null,
    authority: credentials.authority,
    own: credentials,
    timeoutMs: patienceMs,
  })
}

/** The peer's agent listens, and is the peer. */
export function checkPeer(of: {
  readonly peer: Member | null
  readonly cluster: string
  readonly credentials: Credentials
}): Promise<Finding> {
  const { peer, cluster, credentials } = of
  if (peer === null)
    return Promise.resolve(
      warn(
        'peer',
        'no plan on disk names a second node: without it the witness alone decides, and its restart costs the VIP',
        'enrol the other node, and let this agent reach the witness once',
      ),
    )
  const { name, address, port } = peer
  const startedAtMs = performance.now()
  return new Promise((resolve) => {
    const socket = connect({
      host: address,
      port,
      ...secureContextOf(credentials),
      checkServerIdentity: identityCheck((identity) => refusalOfPeer({ cluster, peer }, identity)),
    })
    const end = (finding: Finding): void => {
      socket.destroy()
      resolve(finding)
    }
    const unreached = (why: string): void =>
      end(
        fail(
          'peer',
          `the agent of ${name} at ${address} port ${port} is not reached (${why})`,
          `look whether it runs there and whether a firewall drops port ${port}: without it the end of the witness is the end of the VIP`,
        ),
      )
    socket.setTimeout(patienceMs, () => unreached(`no answer within ${patienceMs} ms`))
    socket.once('error', (cause) => unreached(messageOf(cause)))
    socket.once('secureConnect', () =>
      end(
        ok(
          'peer',
          `the agent of ${name} at ${address} port ${port} answers as ${name} after ${Math.round(performance.now() - startedAtMs)} ms`,
        ),
      ),
    )
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
