/**
 * Whether the witness and the peer can be reached from this node and prove to be who they should be, in the way in
 * which the agent itself connects.
 */
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
/** No decision depends on the wall clock, but certificates and events are easier to read if it is right. */
const clockHintMs = 60_000
const oldDrillMs = 180 * 86_400_000

const viewSchema = z.object({
  /** An older witness does not compare the two configurations. */
  pair: z
    .array(z.object({ level: z.enum(['info', 'warning', 'critical']), text: z.string(), remedy: z.string() }))
    .default([]),
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
  /** The wall clock, for a hint about its difference and for the age of a drill. */
  readonly nowMs: number
}

/** Whether the witness proves to be the witness, whether it hears this node, and when this node was last drilled. */
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
        `cannot reach the witness at ${witness} (${messageOf(cause)})`,
        'check that witnessd runs there, that no firewall drops its port, and that "witness" in agent.yaml is right',
      ),
    ]
  }
  const tookMs = performance.now() - startedAtMs
  const { status, text, dateMs } = answer
  if (status !== 200)
    return [
      fail(
        'witness',
        `the witness at ${witness} answered HTTP ${status}: ${problemDetail(text) ?? text.slice(0, 200)}`,
        status === 403 || status === 401
          ? `enrol this node again: "witnessctl invite --cluster ${cluster} --node ${node}", then "witness-agent join"`
          : 'read the log of witnessd',
      ),
    ]
  const view = viewSchema.safeParse(parseJson(text))
  if (!view.success)
    return [
      fail(
        'witness',
        `the answer of ${witness} is not understood by this agent`,
        'install the same version on all hosts',
      ),
    ]
  const own = view.data.nodes.find((each) => each.node === node)
  return [
    ok('witness', `${witness} is the witness and answered in ${Math.round(tookMs)} ms`),
    own?.connected === true
      ? ok('heartbeat', `the witness receives the heartbeat of ${node}`)
      : fail(
          'heartbeat',
          `the witness receives no heartbeat from ${node}`,
          'start the agent ("systemctl start witness-agent") and read its log',
        ),
    ...(own?.warnings ?? []).map((text) =>
      warn('agent-warning', text, 'the agent reports this warning itself'),
    ),
    ...view.data.pair.map(findingOf),
    hintOfClock(dateMs === null ? null : nowMs - dateMs),
    lastDrill(own?.lastDrill?.at ?? null, { node, nowMs }),
  ]
}

/** A difference between the two nodes' configurations, as the witness sees it. What may be meant so is only named. */
function findingOf({ level, text, remedy }: z.infer<typeof viewSchema>['pair'][number]): Finding {
  switch (level) {
    case 'critical':
      return fail('pair', text, remedy)
    case 'warning':
      return warn('pair', text, remedy)
    case 'info':
      return ok('pair', text)
  }
}

function hintOfClock(differenceMs: number | null): Finding {
  if (differenceMs === null || Math.abs(differenceMs) <= clockHintMs)
    return ok('wall-clock', 'the wall clock agrees with that of the witness (no decision depends on it)')
  return warn(
    'wall-clock',
    `the wall clock is ${Math.round(Math.abs(differenceMs) / 1000)} s ${differenceMs > 0 ? 'ahead of' : 'behind'} that of the witness; no decision depends on it, but logs are hard to compare`,
    'set up NTP on both hosts',
  )
}

function lastDrill(at: string | null, { node, nowMs }: { node: string; nowMs: number }): Finding {
  const remedy = `run "witnessctl drill --node ${node}" on the witness host while ${node} is the standby`
  if (at === null) return warn('drill', `the fence of ${node} has never been tested by a drill`, remedy)
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

/** Whether the peer's agent listens and proves to be the peer. */
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
        'the plan on disk names no second node; without one, only the witness can vote for this node, and its restart costs the VIP',
        'enrol the other node, and make sure that this agent has been connected to the witness since',
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
          `cannot reach the agent of ${name} at ${address} port ${port} (${why})`,
          `check that it runs there and that no firewall drops port ${port}; without that link, losing the witness means losing the VIP`,
        ),
      )
    socket.setTimeout(patienceMs, () => unreached(`no answer within ${patienceMs} ms`))
    socket.once('error', (cause) => unreached(messageOf(cause)))
    socket.once('secureConnect', () =>
      end(
        ok(
          'peer',
          `the agent of ${name} at ${address} port ${port} is ${name} and answered in ${Math.round(performance.now() - startedAtMs)} ms`,
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
