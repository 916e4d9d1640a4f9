/** The parts of the witness put together: from a configuration to a listening daemon, and back down. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Echo } from '../shared/icmp.ts'
import type { Log } from '../shared/log.ts'
import type { ServiceManager } from '../shared/service-manager.ts'
import { acceptAgents, type UpgradeRefusal } from '../shared/transport.ts'
import { AgentGateway } from './agent-gateway.ts'
import { Clusters } from './clusters.ts'
import type { WitnessConfig } from './config.ts'
import { createApi } from './http-api.ts'
import { Pinger } from './pinger.ts'
import { Refusals } from './refusals.ts'

export interface WitnessOptions {
  readonly config: WitnessConfig
  readonly token: string
  readonly version: string
  readonly bootId: string
  readonly log: Log
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** The wall clock, for people. */
  readonly now: () => Date
  readonly echo: (address: string) => Promise<Echo>
  readonly service: ServiceManager
}

export interface Witness {
  /** Where it listens: the port is the real one where the configuration says 0. */
  readonly address: AddressInfo
  /** Ends every connection and brings the events to the disk. */
  stop(): Promise<void>
}

const mostAgents = 2048
const mostSockets = 4096

/** @throws the system's error where the address cannot be listened on */
export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const { config, token, version, bootId, log, nowMs, monotonicMs, now, echo, service } = options
  const refusals = new Refusals(log, nowMs)
  const gateway: AgentGateway = new AgentGateway({ join: (name) => clusters.join(name), refusals })
  const clusters: Clusters = new Clusters({
    config,
    bootId,
    outbound: gateway,
    log,
    nowMs,
    monotonicMs,
    now,
    onTurn: (turn) =>
      service.turned({
        ...turn,
        othersTurn: () => !clusters.all.some((cluster) => cluster.isStalled(turn.atMs)),
      }),
  })

  const api = createApi({
    token,
    version,
    clusters,
    refused: () => refusals.counts,
    onError: (error) =>
      log.error('request-failed', 'a request could not be answered', { error: String(error) }),
    onUnauthenticated: (from) => refusals.count('unauthenticated', 'a request without the token', { from }),
  })
  const server = createServer(
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: 3000,
      requestTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    api,
  )
  server.maxConnections = mostSockets
  const agents = acceptAgents(server, {
    token,
    maxConnections: mostAgents,
    monotonicMs,
    onRefused: (kind: UpgradeRefusal) => refusals.count(kind, 'an upgrade to WebSocket'),
    onOpen: gateway.onOpen,
    onMessage: gateway.onMessage,
    onClose: gateway.onClose,
  })
  const pinger = new Pinger({
    clusters: () => clusters.all,
    echo,
    intervalMs: config.icmpIntervalMs,
    log,
    // A witness without clusters has nothing to decide, and is well all the same.
    onRound: () => {
      if (clusters.all.length === 0) service.turned({ atMs: nowMs(), everyMs: config.icmpIntervalMs })
    },
  })

  const address = await listen(server, config.listen)
  await clusters.start()
  pinger.start()

  return {
    address,
    stop: async () => {
      pinger.stop()
      server.close()
      await clusters.close()
      agents.close()
      server.closeIdleConnections()
    },
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('not a TCP address'))
      resolve(address)
    })
  })
}
