import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WitnessConfig } from '../../../server/config.ts'
import type { ClusterView, EventView } from '../../../server/cluster-view.ts'
import { ledgerPath } from '../../../server/ledger.ts'
import { serviceManager } from '../../../shared/service-manager.ts'
import { startWitness, type Witness } from '../../../server/witness.ts'
import { bootClockMs } from '../../../shared/boot-clock.ts'
import {
  parseFromVoter,
  type Beat,
  type FromVoter,
  type Hello,
  type Report,
} from '../../../shared/protocol.ts'
import { defaultTiming } from '../../../shared/timing.ts'
import { dialVoter, type Connection } from '../../../shared/transport.ts'
import { recordingLog } from './recording-log.ts'

const token = 'a-token-of-the-test-suite'

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
  #connection: Connection | null = null
  #handle: { close(): void }
  #wake: () => void = () => undefined

  constructor(port: number) {
    this.#handle = dialVoter({
      url: `http://127.0.0.1:${port}`,
      token,
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

describe('witness', () => {
  let folder = ''
  let witness: Witness
  let agents: PretendAgent[]
  let skippedMs = 0
  const log = recordingLog()

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'witness-'))
    agents = []
    skippedMs = 0
    log.lines.length = 0
    witness = await start()
  })
  afterEach(async () => {
    for (const agent of agents) agent.hangUp()
    await witness.stop()
    rmSync(folder, { recursive: true })
  })

  function start(changes: Partial<WitnessConfig> = {}): Promise<Witness> {
    return startWitness({
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        dataDir: join(folder, 'data'),
        runDir: join(folder, 'run'),
        tokenFile: join(folder, 'token'),
        makeToken: false,
        admit: true,
        icmpIntervalMs: 1000,
        logLevel: 'info',
        clusters: new Map(),
        ...changes,
      },
      token,
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
  function agent(): PretendAgent {
    const one = new PretendAgent(witness.address.port)
    agents.push(one)
    return one
  }
  async function get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${witness.address.port}${path}`, {
      headers: { authorization: `Bearer ${token}`, connection: 'close' },
    })
  }
  const view = async (): Promise<ClusterView> =>
    (await (await get('/api/v1/clusters/web')).json()) as ClusterView
  const events = async (): Promise<EventView[]> =>
    ((await (await get('/api/v1/clusters/web/events')).json()) as { events: EventView[] }).events

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
    assert.deepEqual(welcome.plan.nodes, [{ name: 'lb01', address: '127.0.0.1', port: 7401 }])
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
    const other = agent()
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
    assert.match(lost.text, /cannot be trusted: not JSON.*It is kept as .*\.torn-1/)
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
      /is missing, though this witness has known the cluster before/,
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
  })

  it('is ready, and knows its clusters, before any agent speaks', async () => {
    await witness.stop()
    const members = [{ name: 'lb01', address: '10.0.0.11', port: 7401 }]
    witness = await start({ admit: false, clusters: new Map([['web', { timing: defaultTiming, members }]]) })
    assert.equal((await get('/readyz')).status, 200)
    assert.equal((await view()).nodes[0]?.address, '10.0.0.11')
    const check = await get('/api/v1/check?cluster=web&node=lb01&instance=VI_1')
    assert.ok([200, 503].includes(check.status))
    assert.ok((await check.text()).length > 5)
  })

  it('refuses a foreign cluster when it admits none, and disturbs nobody', async () => {
    await witness.stop()
    const members = [{ name: 'lb01', address: '127.0.0.1', port: 7401 }]
    witness = await start({ admit: false, clusters: new Map([['web', { timing: defaultTiming, members }]]) })
    const lb01 = agent()
    await lb01.say(hello('lb01'))
    const stranger = agent()
    await stranger.say(hello('mx01', 'mail'))
    await stranger.until(() => stranger.closed !== null)
    assert.match(stranger.closed ?? '', /this witness knows no cluster "mail"/)
    const listed = (await (await get('/api/v1/clusters')).json()) as { refused: unknown }
    assert.deepEqual(listed.refused, { 'unknown-cluster': 1 })
    assert.equal(lb01.closed, null)
  })
})
