/**
 * The agents of a fleet, in a process of their own: each has its own key, certificate and address, and the connection to
 * the witness is the product's (agent/voters/link.ts). It takes the nodes from a file, and tells its parent what it sees.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Report } from '../../shared/protocol/report.ts'
import { defaultTiming } from '../../shared/core/timing.ts'

export interface FleetNode {
  readonly cluster: string
  readonly node: string
  readonly address: string
  readonly key: string
  readonly certificate: string
}

export interface FleetFile {
  readonly url: string
  readonly authority: string
  readonly nodes: readonly FleetNode[]
}

/** What happened since the last one. */
export interface FleetNews {
  /** How many agents have been answered on the connection that they have now. */
  readonly inUse: number
  readonly dials: number
  readonly answersMs: readonly number[]
}

const tellEveryMs = 250

let dials = 0
const addressOf = new AsyncLocalStorage<string>()

/** Each agent dials from its own address, as on its own host. Timers and sockets keep the address of their agent. */
function dialFromOwnAddress(): void {
  const { connect } = net
  const fromOwnAddress = (options: net.NetConnectOpts): net.Socket => {
    dials += 1
    const localAddress = addressOf.getStore()
    return connect(localAddress === undefined ? options : { ...options, localAddress })
  }
  net.connect = fromOwnAddress as typeof net.connect
  syncBuiltinESMExports()
}

function reportOf(node: string): Report {
  const holds = node === 'lb01'
  return {
    instance: 'VI_1',
    phase: holds ? 'holding' : 'standby',
    why: holds ? 'has the lease' : 'may become MASTER',
    keepalived: holds ? 'MASTER' : 'BACKUP',
    process: 'running',
    vips: holds ? 'held' : 'gone',
    priority: holds ? 150 : 100,
    nopreempt: false,
    ask: holds ? { epoch: 1 } : null,
    release: !holds,
    epoch: 1,
    witnessEpoch: 0,
    peerSilentMs: 10,
    checkSilentMs: 500,
    gateway: 'reachable',
    fence: null,
    warnings: [],
  }
}

async function run({ url, authority, nodes }: FleetFile): Promise<void> {
  dialFromOwnAddress()
  const { VoterLink } = await import('../../agent/voters/link.ts')
  const { refusalOfWitness } = await import('../../agent/voters/identity.ts')
  const { secureContextOf } = await import('../../shared/network/secure-server.ts')
  const answered = new Set<string>()
  let answersMs: number[] = []
  let dialsTold = 0
  const nowMs = (): number => performance.now()
  for (const { cluster, node, address, key, certificate } of nodes) {
    const name = `${cluster}/${node}`
    const secureContext = createSecureContext(secureContextOf({ key, certificate, authority }))
    let seq = 0
    addressOf.run(address, () => {
      const link = new VoterLink({
        voter: 'witness',
        url,
        secureContext: () => secureContext,
        refusalOf: refusalOfWitness,
        hello: (incarnation) => ({
          type: 'hello',
          protocol: 1,
          cluster,
          node,
          incarnation,
          bootId: `boot-of-${name}`,
          software: 'fleet',
          listener: { address, port: 7401 },
          mode: 'enforce',
          profiles: [
            {
              instance: 'VI_1',
              virtualRouterId: 51,
              interface: 'eth0',
              version: 2,
              priority: node === 'lb01' ? 150 : 100,
              nopreempt: false,
              advertIntMs: 1000,
              vips: ['10.0.0.100/24'],
            },
          ],
        }),
        newIncarnation: () => `incarnation-of-${name}`,
        renewMs: () => defaultTiming.renewMs,
        nowMs,
        monotonicMs: nowMs,
        jitter: Math.random,
        on: {
          up: () => beat(),
          down: () => answered.delete(name),
          answer: ({ sentAtMs }) => {
            answered.add(name)
            answersMs.push(nowMs() - sentAtMs)
          },
          order: () => undefined,
          plan: () => undefined,
        },
      })
      const beat = (): void => {
        seq += 1
        link.beat({ atMs: nowMs(), seq, leaseMs: defaultTiming.leaseMs, reports: [reportOf(node)] })
      }
      setTimeout(
        () =>
          setInterval(() => {
            link.watch(nowMs())
            beat()
          }, defaultTiming.renewMs),
        Math.random() * defaultTiming.renewMs,
      )
    })
  }
  setInterval(() => {
    const news: FleetNews = { inUse: answered.size, dials: dials - dialsTold, answersMs }
    dialsTold = dials
    answersMs = []
    process.send?.(news)
  }, tellEveryMs)
  // The parent ended.
  process.on('disconnect', () => process.exit())
}

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('the file of the fleet is expected')
await run(JSON.parse(readFileSync(file, 'utf8')) as FleetFile)
