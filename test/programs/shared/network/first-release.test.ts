/** An upgrade, with the programs of 0.1.0 on one side of a connection and those of today on the other. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import WebSocket, { WebSocketServer } from 'ws'
import { PeerListener } from '../../../../agent/voters/peer-listener.ts'
import { refusalOfWitness } from '../../../../agent/voters/identity.ts'
import { VoterLink } from '../../../../agent/voters/link.ts'
import { Registry } from '../../../../server/registry/registry.ts'
import { startWitness, type Witness } from '../../../../server/witness.ts'
import { bootClockMs } from '../../../../shared/host/boot-clock.ts'
import { serviceManager } from '../../../../shared/host/service-manager.ts'
import type { Credentials } from '../../../../shared/identity/credentials.ts'
import { acceptAgents } from '../../../../shared/network/accept.ts'
import { secureContextOf } from '../../../../shared/network/secure-server.ts'
import type { Hello } from '../../../../shared/protocol/messages.ts'
import type { Report } from '../../../../shared/protocol/report.ts'
import { defaultTiming } from '../../../../shared/core/timing.ts'
import { authority, lb01Credentials, lb02Credentials, witnessCredentials } from '../../../identities.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { readFromAgent, readFromVoter } from '../../../fixtures/first-release.ts'
import { LoopbackServer } from '../../../fixtures/loopback-server.ts'
import { recordingLog } from '../../../fixtures/recording-log.ts'

const profile = {
  instance: 'VI_1',
  virtualRouterId: 51,
  interface: 'eth0',
  version: 2,
  priority: 150,
  nopreempt: false,
  advertIntMs: 1000,
  vips: ['10.0.0.100/24'],
} as const
const helloOf = (node: string, incarnation = `incarnation-of-${node}`): Hello => ({
  type: 'hello',
  protocol: 1,
  cluster: 'web',
  node,
  incarnation,
  bootId: `boot-of-${node}`,
  software: 'a test',
  listener: { address: null, port: 7401 },
  mode: 'enforce',
  profiles: [{ ...profile, vips: [...profile.vips] }],
})
const report: Report = {
  instance: 'VI_1',
  phase: 'standby',
  why: 'a test',
  keepalived: 'BACKUP',
  process: 'running',
  vips: 'gone',
  priority: 150,
  nopreempt: false,
  ask: null,
  release: false,
  epoch: 0,
  witnessEpoch: 0,
  peerSilentMs: null,
  checkSilentMs: 100,
  gateway: 'unknown',
  fence: null,
  warnings: [],
}
const claim: Partial<Report> = { phase: 'claiming', keepalived: 'MASTER', vips: 'held' }
const newHello: Hello = {
  ...helloOf('lb01'),
  profiles: [{ ...profile, vips: [...profile.vips], weights: 'told', downTimerAdverts: 3 }],
}
const newReport: Report = {
  ...report,
  configuredPriority: 150,
  priorityMayDiffer: true,
  witnessSilentMs: 9000,
}

/** An agent of 0.1.0: it reads as that version did, and hangs up at what it does not know. */
class OldAgent {
  readonly heard: ReturnType<typeof readFromVoter>[] = []
  broken: unknown = null
  readonly #webSocket: WebSocket

  constructor(url: string, credentials: Credentials) {
    const options: object = { ...secureContextOf(credentials), checkServerIdentity: () => undefined }
    this.#webSocket = new WebSocket(`${url.replace(/^http/, 'ws')}/agent`, options)
    this.#webSocket.on('error', (error) => (this.broken ??= error))
    this.#webSocket.on('message', (data: Buffer) => {
      try {
        this.heard.push(readFromVoter(data.toString('utf8')))
      } catch (error) {
        this.broken = error
        this.#webSocket.terminate()
      }
    })
  }

  async say(message: object): Promise<void> {
    await eventually('the connection is open', () => this.#webSocket.readyState === WebSocket.OPEN)
    this.#webSocket.send(JSON.stringify(message))
  }

  async beat(seq: number, change: Partial<Report> = {}): Promise<string> {
    await this.say({ type: 'beat', seq, echoMs: null, leaseMs: 1800, reports: [{ ...report, ...change }] })
    const vote = (): string | undefined =>
      this.heard
        .flatMap((message) => (message.type === 'answer' && message.seq === seq ? message.verdicts : []))
        .map(({ vote: { kind } }) => kind)
        .find((kind) => kind !== 'pending')
    await eventually('the answer came', () => vote() !== undefined || this.broken !== null)
    assert.equal(this.broken, null)
    return vote() ?? ''
  }

  hangUp(): void {
    this.#webSocket.terminate()
  }
}

describe('an upgrade from 0.1.0', () => {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  const oldAgent = (url: string, credentials: Credentials): OldAgent => {
    const agent = new OldAgent(url, credentials)
    closing.push(() => agent.hangUp())
    return agent
  }
  const link = (url: string, happened: string[]): VoterLink => {
    const dialled = new VoterLink({
      voter: 'witness',
      url,
      secureContext: () => createSecureContext(secureContextOf(lb01Credentials)),
      refusalOf: refusalOfWitness,
      hello: (incarnation) => ({ ...newHello, incarnation }),
      newIncarnation: () => 'incarnation-of-lb01',
      renewMs: () => 400,
      nowMs: bootClockMs,
      monotonicMs: () => performance.now(),
      jitter: () => 0,
      on: {
        up: (plan) => happened.push(`up ${plan?.timing.delegateAfterMs ?? 'without a plan'}`),
        down: (reason) => happened.push(`down ${reason}`),
        answer: ({ answer }) => happened.push(`answer ${answer.seq}: ${answer.verdicts[0]?.vote.kind ?? ''}`),
        order: (order) => happened.push(`order ${order.what}`),
        plan: () => happened.push('plan'),
        renew: () => happened.push('renew'),
      },
    })
    closing.push(() => dialled.close())
    return dialled
  }

  async function newWitness(): Promise<Witness> {
    const folder = mkdtempSync(join(tmpdir(), 'upgrade-'))
    closing.push(() => rmSync(folder, { recursive: true }))
    const registry = await Registry.open({
      folder: join(folder, 'data', 'authority'),
      authorityWasThere: false,
      bootId: 'boot-of-the-witness',
      nowMs: bootClockMs,
      now: () => new Date(),
      onError: (error) => {
        throw error
      },
    })
    for (const node of ['lb01', 'lb02']) {
      const invited = await registry.invite({ cluster: 'web', node })
      assert.ok(invited.kind === 'done')
      const { secret } = invited
      await registry.redeem({ cluster: 'web', node, secret, address: '127.0.0.1', port: 7401 })
    }
    const witness = await startWitness({
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        dataDir: join(folder, 'data'),
        runDir: join(folder, 'run'),
        icmpIntervalMs: 1000,
        logLevel: 'info',
        clusters: new Map(),
      },
      authority,
      credentials: witnessCredentials,
      registry,
      version: 'test',
      bootId: 'boot-of-the-witness',
      log: recordingLog(),
      nowMs: bootClockMs,
      monotonicMs: () => performance.now(),
      now: () => new Date(),
      echo: () => Promise.resolve({ kind: 'answered', roundTripMs: 0.2 }),
      service: serviceManager({ env: {}, pid: process.pid, onProblem: () => undefined }),
    })
    closing.push(() => witness.stop())
    return witness
  }

  it('has an old agent and a new one at a new witness, which votes for both', async () => {
    const witness = await newWitness()
    const url = `https://127.0.0.1:${witness.address.port}`
    const lb02 = oldAgent(url, lb02Credentials)
    await lb02.say(helloOf('lb02'))
    const happened: string[] = []
    const lb01 = link(url, happened)
    await eventually('the new agent is up', () => happened.length > 0)
    assert.equal(happened[0], `up ${defaultTiming.delegateAfterMs}`)
    assert.equal(await lb02.beat(1), 'none')
    const epoch = 1
    // The witness has just started, so its vote waits at first.
    let [seq, vote] = [1, '']
    for (; vote !== 'granted' && seq < 60; seq += 1) {
      vote = await lb02.beat(seq + 1, { ...claim, ask: { epoch } })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.equal(vote, 'granted')
    lb01.beat({
      atMs: bootClockMs(),
      seq: 1,
      leaseMs: 1800,
      reports: [{ ...newReport, ...claim, ask: { epoch: 2 }, epoch: 2 }],
    })
    await eventually('the new agent is refused', () => happened.includes('answer 1: refused'))
    await lb02.beat(seq + 1, { release: true, epoch })
    assert.deepEqual(
      lb02.heard.slice(0, 1).map(({ type }) => type),
      ['welcome'],
    )
    assert.equal(lb02.broken, null)
    assert.ok(!happened.some((what) => what.startsWith('down')))
  })

  it('has a new witness order an old agent about, and hand it plan and renewal', async () => {
    const server = await LoopbackServer.open(witnessCredentials)
    closing.push(() => server.close())
    const acceptor = acceptAgents(server.server, {
      refusalOf: () => null,
      monotonicMs: () => performance.now(),
      maxConnections: 10,
      onRefused: () => undefined,
      onOpen: () => undefined,
      onMessage: (connection) => {
        const plan = { cluster: 'web', timing: defaultTiming, nodes: [] }
        connection.send({ type: 'welcome', protocol: 1, voter: 'witness', plan, later: true })
        for (const what of ['fence', 'announce', 'yield', 'drill', 'drill-holder'])
          connection.send({ type: 'order', instance: 'VI_1', what, epoch: 7, reason: 'a test', later: true })
        connection.send({ type: 'tomorrow' })
        connection.send({ type: 'plan', plan })
        connection.send({ type: 'renew', later: true })
        connection.send({ type: 'superseded' })
      },
      onClose: () => undefined,
    })
    closing.push(() => acceptor.close())
    const agent = oldAgent(server.url, lb01Credentials)
    await agent.say(helloOf('lb01'))
    await eventually('the messages came', () => agent.heard.length === 9 || agent.broken !== null)
    assert.equal(agent.broken, null)
    assert.deepEqual(
      agent.heard.map(({ type }) => type),
      ['welcome', 'order', 'order', 'order', 'order', 'order', 'plan', 'renew', 'superseded'],
    )
  })

  it('has an old peer at the listener of a new agent, and answers it', async () => {
    const beats: number[] = []
    const refused: string[] = []
    const listener = await PeerListener.listen({
      cluster: 'web',
      node: 'lb01',
      listen: { address: '127.0.0.1', port: 0 },
      credentials: lb01Credentials,
      isKnownAddress: () => true,
      nowMs: () => 1000,
      monotonicMs: () => performance.now(),
      timing: () => defaultTiming,
      promised: () => false,
      profiles: () => [],
      onNames: () => undefined,
      onBeat: ({ seq }) => {
        beats.push(seq)
        const vote = { kind: 'none' } as const
        listener.answer(seq, {
          instance: 'VI_1',
          vote,
          holder: null,
          renewedAgoMs: null,
          epoch: 0,
          unmatched: true,
        })
      },
      onRefused: (reason) => refused.push(reason),
    })
    closing.push(() => listener.close())
    listener.setPeer({ name: 'lb02', leastGeneration: 1 })
    const peer = oldAgent(`https://127.0.0.1:${listener.port}`, lb02Credentials)
    await peer.say(helloOf('lb02'))
    assert.equal(await peer.beat(1), 'none')
    assert.deepEqual([beats, refused], [[1], []])
  })

  it('has a new agent at an old voter, which reads every word of it', async () => {
    const server = await LoopbackServer.open(witnessCredentials)
    closing.push(() => server.close())
    const heard: ReturnType<typeof readFromAgent>[] = []
    let broken: unknown = null
    const { timing, ...others } = { cluster: 'web', timing: defaultTiming, nodes: [] }
    const { delegateAfterMs, ...oldTiming } = timing
    assert.equal(delegateAfterMs, 300_000)
    const voter = new WebSocketServer({ server: server.server })
    closing.push(() => {
      for (const client of voter.clients) client.terminate()
      voter.close()
    })
    voter.on('connection', (webSocket) =>
      webSocket.on('message', (data: Buffer) => {
        const answer = (message: object): void => webSocket.send(JSON.stringify(message))
        try {
          const message = readFromAgent(data.toString('utf8'))
          heard.push(message)
          if (message.type === 'hello')
            answer({ type: 'welcome', protocol: 1, voter: 'witness', plan: { ...others, timing: oldTiming } })
          if (message.type !== 'beat') return
          const vote = { kind: 'granted', epoch: 7 }
          const verdict = { instance: 'VI_1', vote, holder: 'lb01', renewedAgoMs: 0, epoch: 7 }
          answer({ type: 'answer', seq: message.seq, atMs: 5, verdicts: [verdict] })
          answer({ type: 'order', instance: 'VI_1', what: 'announce', epoch: 7, reason: 'a test' })
        } catch (error) {
          broken = error
          webSocket.terminate()
        }
      }),
    )
    const happened: string[] = []
    const agent = link(server.url, happened)
    await eventually('the new agent is up at the old voter', () => happened.length > 0)
    agent.beat({ atMs: bootClockMs(), seq: 1, leaseMs: 1800, reports: [newReport] })
    agent.tell({ type: 'tell', instance: 'VI_1', event: 'claiming', level: 'info', text: 'a test' })
    await eventually('answer, order and event came', () => happened.length >= 3 && heard.length >= 3)
    assert.equal(broken, null)
    assert.deepEqual(happened, ['up 300000', 'answer 1: granted', 'order announce'])
    assert.deepEqual(
      heard.map(({ type }) => type),
      ['hello', 'beat', 'tell'],
    )
  })
})
