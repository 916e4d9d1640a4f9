import assert from 'node:assert/strict'
import { refusalOfWitness } from '../../../agent/voters/identity.ts'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { request } from 'node:https'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { WitnessConfig } from '../../../server/config.ts'
import type { ClusterView, EventView } from '../../../shared/protocol/view.ts'
import { ledgerPath } from '../../../server/records/ledger.ts'
import { Registry } from '../../../server/registry/registry.ts'
import { serviceManager } from '../../../shared/host/service-manager.ts'
import { startWitness, type Witness } from '../../../server/witness.ts'
import { bootClockMs } from '../../../shared/host/boot-clock.ts'
import type { Credentials } from '../../../shared/identity/credentials.ts'
import { witnessServerName } from '../../../shared/identity/identity.ts'
import { type Beat, type FromVoter, type Hello, parseFromVoter } from '../../../shared/protocol/messages.ts'
import { mostEpoch } from '../../../shared/protocol/names.ts'
import type { Report } from '../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { secureContextOf } from '../../../shared/network/secure-server.ts'
import { dialVoter } from '../../../shared/network/dial.ts'
import type { DialledConnection } from '../../../shared/network/connection.ts'
import {
  adminCredentials,
  authority,
  credentialsOf,
  lb01Credentials,
  lb02Credentials,
  nodeIdentity,
} from '../../identities.ts'
import { recordingLog } from '../../fixtures/recording-log.ts'

function hello(node: string, cluster = 'web'): Hello {
  return {
    type: 'hello',
    protocol: 1,
    cluster,
    node,
    incarnation: `incarnation-of-${node}`,
    bootId: `boot-of-${node}`,
    software: 'test',
    listener: { address: null, port: 7401 },
    mode: 'enforce',
    profiles: [
      {
        instance: 'VI_1',
        virtualRouterId: 51,
        interface: 'eth0',
        version: 2,
        priority: 150,
        nopreempt: false,
        advertIntMs: 1000,
        vips: ['10.0.0.100/24'],
      },
    ],
  }
}

function beat(seq: number, ask: { epoch: number } | null): Beat {
  const report: Report = {
    instance: 'VI_1',
    phase: ask === null ? 'standby' : 'claiming',
    why: 'a test',
    keepalived: ask === null ? 'BACKUP' : 'MASTER',
    process: 'running',
    vips: ask === null ? 'gone' : 'held',
    priority: 150,
    nopreempt: false,
    ask,
    release: false,
    epoch: 0,
    witnessEpoch: 0,
    peerSilentMs: null,
    checkSilentMs: 100,
    gateway: 'unknown',
    fence: null,
    warnings: [],
  }
  return { type: 'beat', seq, echoMs: null, leaseMs: 1800, reports: [report] }
}

/** An agent that says what a test lets it say. */
class PretendAgent {
  readonly heard: FromVoter[] = []
  closed: string | null = null
  #connection: DialledConnection | null = null
  #handle: { close(): void }
  #wake: () => void = () => undefined

  constructor(port: number, credentials: Credentials) {
    this.#handle = dialVoter({
      url: `https://127.0.0.1:${port}`,
      secureContext: createSecureContext(secureContextOf(credentials)),
      refusalOf: refusalOfWitness,
      connectTimeoutMs: 2000,
      monotonicMs: () => performance.now(),
      onOpen: (connection) => {
        this.#connection = connection
        this.#wake()
      },
      onMessage: (_, data) => {
        this.heard.push(parseFromVoter(data))
        this.#wake()
      },
      onClose: (_, reason) => {
        this.closed = reason
        this.#wake()
      },
    })
  }

  async say(message: object): Promise<void> {
    await this.until(() => this.#connection !== null)
    this.#connection?.send(message)
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** What the voter decided in the end on the vote that beat `seq` asked for. */
  async voteOn(seq: number): Promise<string> {
    const kind = (): string | undefined =>
      this.heard
        .flatMap((message) => (message.type === 'answer' && message.seq === seq ? message.verdicts : []))
        .map(({ vote }) => vote.kind)
        .find((one) => one !== 'pending')
    await this.until(() => kind() !== undefined)
    return kind() ?? ''
  }

  hangUp(): void {
    this.#handle.close()
  }
}

const own = { ...(await authority.issue({ kind: 'witness' })), authority: authority.certificatePem }

describe('witness', () => {
  let folder = ''
  let witness: Witness
  let registry: Registry
  let agents: PretendAgent[]
  let skippedMs = 0
  const log = recordingLog()

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'witness-'))
    agents = []
    skippedMs = 0
    log.lines.length = 0
    registry = await openRegistry()
    for (const node of ['lb01', 'lb02']) {
      const invited = await registry.invite({ cluster: 'web', node })
      assert.ok(invited.kind === 'done')
      const { secret } = invited
      await registry.redeem({ cluster: 'web', node, secret, address: '127.0.0.1', port: 7401 })
    }
    witness = await start()
  })
  afterEach(async () => {
    for (const agent of agents) agent.hangUp()
    await witness.stop()
    rmSync(folder, { recursive: true })
  })

  function openRegistry(authorityWasThere = false): Promise<Registry> {
    return Registry.open({
      folder: join(folder, 'data', 'authority'),
      authorityWasThere,
      bootId: 'boot-of-the-witness',
      nowMs: bootClockMs,
      now: () => new Date(),
      onError: (error) => {
        throw error
      },
    })
  }
  function start(changes: Partial<WitnessConfig> = {}): Promise<Witness> {
    return startWitness({
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        dataDir: join(folder, 'data'),
        runDir: join(folder, 'run'),
        icmpIntervalMs: 1000,
        logLevel: 'info',
        clusters: new Map(),
        ...changes,
      },
      authority,
      credentials: own,
      registry,
      version: 'test',
      bootId: 'boot-of-the-witness',
      log,
      nowMs: () => bootClockMs() + skippedMs,
      monotonicMs: () => performance.now(),
      now: () => new Date(),
      echo: () => Promise.resolve({ kind: 'answered', roundTripMs: 0.2 }),
      service: serviceManager({ env: {}, pid: process.pid, onProblem: () => undefined }),
    })
  }
  function agent(credentials: Credentials = lb01Credentials): PretendAgent {
    const one = new PretendAgent(witness.address.port, credentials)
    agents.push(one)
    return one
  }
  function get(path: string, by: Credentials = adminCredentials): Promise<{ status: number; body: string }> {
    const { key, certificate: cert, authority: ca } = by
    const options = {
      port: witness.address.port,
      path,
      key,
      cert,
      ca,
      servername: witnessServerName,
      agent: false,
    }
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', ...options }, (response) => {
        let body = ''
        response.on('data', (part: Buffer) => (body += part.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
        .on('error', reject)
        .end()
    })
  }
  const view = async (): Promise<ClusterView> =>
    JSON.parse((await get('/api/v1/clusters/web')).body) as ClusterView
  const events = async (): Promise<EventView[]> =>
    (JSON.parse((await get('/api/v1/clusters/web/events')).body) as { events: EventView[] }).events

  /** A voter grants nothing new until what it may have promised before its start has ended. */
  async function claim(one: PretendAgent, epoch: number): Promise<string> {
    await one.until(() => one.heard.some(({ type }) => type === 'welcome'))
    skippedMs += defaultTiming.reserveMs
    await one.say(beat(1, { epoch }))
    const vote = await one.voteOn(1)
    assert.equal(vote, 'granted', JSON.stringify(one.heard))
    return vote
  }

  it('welcomes an agent with its plan, and grants it a vote that is on disk', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await lb01.until(() => lb01.heard.some(({ type }) => type === 'welcome'))
    const welcome = lb01.heard.find((message) => message.type === 'welcome')
    assert.deepEqual(welcome?.plan?.timing, defaultTiming)
    assert.deepEqual(
      welcome.plan.nodes,
      ['lb01', 'lb02'].map((name) => ({ name, address: '127.0.0.1', port: 7401, leastGeneration: 1 })),
    )
    assert.equal(await claim(lb01, 5), 'granted')
    assert.match(
      readFileSync(ledgerPath(join(folder, 'data'), 'web'), 'utf8'),
      /"VI_1":\{"to":"lb01","epoch":5\}/,
    )
    assert.match(readFileSync(join(folder, 'run', 'witness-web.marks'), 'utf8'), /"epoch":5/)
    const { nodes, instances } = await view()
    assert.equal(instances[0]?.holder, 'lb01')
    assert.equal(nodes[0]?.connected, true)
    assert.ok((await events()).length > 0)
  })

  it('knows after a restart whom it promised its vote to', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    lb01.hangUp()
    await witness.stop()
    witness = await start()
    const again = agent()
    await again.say(hello('lb01'))
    await again.say(beat(1, { epoch: 5 }))
    assert.equal(await again.voteOn(1), 'granted', 'the recorded holder renews at once')
    const other = agent(lb02Credentials)
    await other.say(hello('lb02'))
    await other.say(beat(1, { epoch: 6 }))
    assert.equal(await other.voteOn(1), 'refused')
  })

  it('sets a torn ledger aside, says so, and lets everyone wait', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    lb01.hangUp()
    await witness.stop()
    const path = ledgerPath(join(folder, 'data'), 'web')
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40))
    witness = await start()
    assert.ok(existsSync(`${path}.torn-1`))
    const lost = (await events()).find(({ event }) => event === 'ledger-lost')
    assert.equal(lost?.level, 'critical')
    assert.match(lost.text, /cannot be trusted: it is not JSON.*kept as .*\.torn-1/)
    const again = agent()
    await again.say(hello('lb01'))
    await again.say(beat(1, { epoch: 5 }))
    assert.equal(await again.voteOn(1), 'refused', 'not even the holder of the lost record renews')
  })

  it('takes a ledger that vanished for a lost one', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    lb01.hangUp()
    await witness.stop()
    rmSync(join(folder, 'data', 'ledger'), { recursive: true })
    witness = await start()
    assert.match(
      JSON.stringify(await events()),
      /is missing, although this witness has seen the cluster before/,
    )
  })

  it('gives no new epoch while its ledger cannot be written, and renews', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    rmSync(join(folder, 'data', 'ledger'), { recursive: true })
    writeFileSync(join(folder, 'data', 'ledger'), 'no folder')
    await lb01.say(beat(1001, { epoch: 5 }))
    assert.equal(await lb01.voteOn(1001), 'granted')
    await lb01.say(beat(1002, { epoch: 6 }))
    assert.equal(await lb01.voteOn(1002), 'refused')
    assert.ok((await events()).some(({ event }) => event === 'ledger-not-written'))
    rmSync(join(folder, 'data', 'ledger'))
    mkdirSync(join(folder, 'data', 'ledger'))
    let told = await events()
    for (let tries = 0; tries < 100 && !told.some(({ event }) => event === 'ledger-writable'); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      told = await events()
    }
    assert.ok(told.some(({ event }) => event === 'ledger-writable'))
    await lb01.say(beat(1003, { epoch: 7 }))
    assert.equal(await lb01.voteOn(1003), 'granted')
  })

  it('is ready, and knows its clusters, before any agent speaks', async () => {
    assert.equal((await get('/readyz')).status, 200)
    assert.equal((await view()).nodes[0]?.address, '127.0.0.1')
    const check = '/api/v1/check?cluster=web&node=lb01&instance=VI_1'
    const answer = await get(check, lb01Credentials)
    assert.ok([200, 503].includes(answer.status))
    assert.ok(answer.body.length > 5)
    assert.equal((await get(check, lb02Credentials)).status, 403)
  })

  it('lets nobody in whom it did not enrol, and disturbs nobody', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await lb01.until(() => lb01.heard.length > 0)
    const strangers: [Credentials, RegExp][] = [
      [
        await credentialsOf(nodeIdentity('mx01', { cluster: 'mail' })),
        /mail\/mx01 is not enrolled at this witness/,
      ],
      [await credentialsOf(nodeIdentity('lb03')), /web\/lb03 is not enrolled at this witness/],
      [await credentialsOf({ kind: 'witness' }), /a witness cannot connect to another witness/],
    ]
    for (const [credentials, reason] of strangers) {
      const stranger = agent(credentials)
      await stranger.until(() => stranger.closed !== null)
      assert.match(stranger.closed ?? '', reason)
    }
    const listed = JSON.parse((await get('/api/v1/clusters')).body) as { refused: unknown }
    assert.deepEqual(listed.refused, { unauthenticated: strangers.length })
    assert.equal(lb01.closed, null)
  })

  it('takes nodes that a lost record does not know at their first word, and tells it in the events of their cluster', async () => {
    await witness.stop()
    rmSync(join(folder, 'data', 'authority'), { recursive: true })
    registry = await openRegistry(true)
    assert.deepEqual(registry.clusters, [])
    witness = await start()
    const [lb01, lb02] = [agent(), agent(lb02Credentials)]
    await lb01.say(hello('lb01'))
    await lb02.say(hello('lb02'))
    for (const one of [lb01, lb02]) {
      await one.until(() => one.heard.length > 0 || one.closed !== null)
      assert.equal(one.closed, null)
    }
    const adopted = (await events()).filter(({ event }) => event === 'node-adopted')
    assert.deepEqual(adopted.map(({ node, level }) => [node, level]).sort(), [
      ['lb01', 'warning'],
      ['lb02', 'warning'],
    ])
  })

  it('closes the connection of a node at once when it is removed, and tells its peer', async () => {
    const [lb01, lb02] = [agent(), agent(lb02Credentials)]
    await lb01.say(hello('lb01'))
    await lb02.say(hello('lb02'))
    await lb02.until(() => lb02.heard.length > 0)
    await registry.remove({ cluster: 'web', node: 'lb02' })
    await lb02.until(() => lb02.closed !== null)
    assert.match(lb02.closed ?? '', /web\/lb02 was removed/)
    await lb01.until(() => lb01.heard.some(({ type }) => type === 'plan'))
    const plan = lb01.heard.find((message) => message.type === 'plan')
    assert.deepEqual(
      plan?.plan.nodes.map(({ name }) => name),
      ['lb01'],
    )
    assert.equal((await get('/api/v1/clusters/web', lb02Credentials)).status, 401)
    const again = agent(lb02Credentials)
    await again.until(() => again.closed !== null)
    assert.equal(lb01.closed, null)
  })

  it('worries about a cluster no more whose last node was removed, and still tells how it went', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    const listed = async (): Promise<string[]> => {
      const { clusters } = JSON.parse((await get('/api/v1/clusters')).body) as { clusters: ClusterView[] }
      return clusters.map(({ cluster }) => cluster)
    }
    assert.deepEqual(await listed(), ['web'])
    for (const node of ['lb01', 'lb02']) await registry.remove({ cluster: 'web', node })
    await lb01.until(() => lb01.closed !== null)
    assert.deepEqual(await listed(), [])
    assert.ok((await events()).length > 0)
  })

  it('loses its vote to an absurd epoch in the cluster of the node that reports it, and in no other', async () => {
    const invited = await registry.invite({ cluster: 'mail', node: 'lb01' })
    assert.ok(invited.kind === 'done')
    const { secret } = invited
    await registry.redeem({ cluster: 'mail', node: 'lb01', secret, address: '127.0.0.1', port: 7401 })
    const mail = agent(await credentialsOf(nodeIdentity('lb01', { cluster: 'mail' })))
    await mail.say(hello('lb01', 'mail'))
    await claim(mail, 5)
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await claim(lb01, 5)
    const lb02 = agent(lb02Credentials)
    await lb02.say(hello('lb02'))
    const report = beat(1, null)
    const witnessEpoch = mostEpoch
    await lb02.say({ ...report, reports: report.reports.map((one) => ({ ...one, witnessEpoch })) })
    await lb02.until(() => lb02.heard.some(({ type }) => type === 'answer'))
    await lb01.say(beat(2, { epoch: 5 }))
    assert.equal(await lb01.voteOn(2), 'refused')
    assert.ok((await events()).some(({ event, node }) => event === 'ledger-rolled-back' && node === 'lb02'))
    skippedMs += defaultTiming.reserveMs
    await lb01.say(beat(3, { epoch: 6 }))
    assert.equal(await lb01.voteOn(3), 'refused')
    await mail.say(beat(2, { epoch: 5 }))
    assert.equal(await mail.voteOn(2), 'granted')
  })

  it('lets nobody but nodes connect as an agent, and says so at the upgrade', async () => {
    for (const [credentials, why] of [
      [adminCredentials, /403.*an admin cannot connect as an agent; use witnessctl/],
      [own, /403.*a witness cannot connect to another witness/],
    ] as const) {
      const other = agent(credentials)
      await other.until(() => other.closed !== null)
      assert.match(other.closed ?? '', why)
    }
    const { refused } = JSON.parse((await get('/api/v1/clusters')).body) as {
      refused?: Record<string, number>
    }
    assert.deepEqual(refused, { unauthenticated: 2 })
    assert.equal((await get('/api/v1/nodes')).status, 200, 'the admin asks as before')
  })

  it('asks for a new key when the admin wants one, and refuses the old certificate once the new one is used', async () => {
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    await lb01.until(() => lb01.heard.length > 0)
    await registry.rotate({ cluster: 'web', node: 'lb01' })
    await lb01.until(() => lb01.heard.some(({ type }) => type === 'renew'))
    const renewed = await registry.renew(nodeIdentity('lb01'))
    assert.ok(renewed.kind === 'done')
    assert.equal(lb01.closed, null)
    const next = agent(await credentialsOf(nodeIdentity('lb01', { generation: renewed.generation })))
    await next.say({ ...hello('lb01'), incarnation: 'incarnation-of-lb01' })
    await next.until(() => next.heard.length > 0)
    await lb01.until(() => lb01.closed !== null)
    const old = agent()
    await old.until(() => old.closed !== null)
    assert.match(old.closed ?? '', /generation 1\) is no longer valid because generation 2 has replaced it/)
    assert.equal(next.closed, null)
  })
})
