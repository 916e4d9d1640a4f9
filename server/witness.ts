/** Puts the parts of the witness together: from a configuration to a listening daemon, and shuts it down again. */
import type { AddressInfo } from 'node:net'
import type { Request } from 'express'
import type { Credentials } from '../shared/identity/credentials.ts'
import { ConnectionLimit } from '../shared/network/connection-limit.ts'
import { assertNever } from '../shared/assert-never.ts'
import type { Identity, NodeIdentity } from '../shared/identity/identity.ts'
import type { Echo } from '../shared/host/icmp.ts'
import type { Log } from '../shared/host/log.ts'
import { createSecureServer, identityOfPeer, listen } from '../shared/network/secure-server.ts'
import type { ServiceManager } from '../shared/host/service-manager.ts'
import { acceptAgents } from '../shared/network/accept.ts'
import { AgentGateway } from './agents/gateway.ts'
import type { Occurrence } from './core/arbiter/arbiter.ts'
import type { Authority } from './registry/authority.ts'
import { Clusters } from './clusters/clusters.ts'
import type { WitnessConfig } from './config.ts'
import { drillApi } from './api/drill.ts'
import { createEnrolmentRouter } from './api/enrolment.ts'
import { createApi } from './api/http.ts'
import { addressForNodes } from './registry/own-address.ts'
import { Pinger } from './clusters/pinger.ts'
import { Refusals } from './agents/refusals.ts'
import type { Registry } from './registry/registry.ts'

export interface WitnessOptions {
  readonly config: WitnessConfig
  readonly authority: Authority
  /** The witness's own. */
  readonly credentials: Credentials
  readonly registry: Registry
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
  /** Where it listens; if the configured port is 0, this is the real one. */
  readonly address: AddressInfo
  /** Ends every connection and writes the events to disk. */
  stop(): Promise<void>
}

const mostAgents = 2048
const mostSockets = 4096
/** Certificates are renewed monthly, so there is no hurry. */
const renewalsMs = 3_600_000

/** @throws the system's error if it cannot listen on the address */
export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const {
    config,
    authority,
    credentials,
    registry,
    version,
    bootId,
    log,
    nowMs,
    monotonicMs,
    now,
    echo,
    service,
  } = options
  const refusals = new Refusals(log, nowMs)
  const gateway: AgentGateway = new AgentGateway({
    join: (name) => clusters.join(name),
    enrolment: {
      renewalDue: (identity) => registry.renewalDue(identity),
      sawInUse: (identity, at) => {
        const news = newsOf(registry.sawInUse(identity, at), identity)
        if (news !== null) void clusters.tell(identity.cluster, news)
      },
    },
    refusals,
    monotonicMs,
  })
  const clusters: Clusters = new Clusters({
    ...{ config, enrolled: registry, bootId, outbound: gateway },
    ...{ log, nowMs, monotonicMs, now },
    onTurn: (turn) =>
      service.turned({
        ...turn,
        othersTurn: () => !clusters.all.some((cluster) => cluster.isStalled(turn.atMs)),
      }),
  })
  const refusalOf = (identity: Identity): string | null => {
    if (identity.kind !== 'node')
      return identity.kind === 'admin' ? null : 'a witness cannot connect to another witness'
    const admission = registry.mayConnect(identity)
    return admission.kind === 'ok' ? null : admission.text
  }
  /** Connections are limited per node, so nobody but a node may hold one. */
  const refusalOfAgent = (identity: Identity): string | null =>
    identity.kind === 'admin' ? 'an admin cannot connect as an agent; use witnessctl' : refusalOf(identity)
  const callerOf = (request: Request): Identity | null => {
    const identity = identityOfPeer(request.socket)
    return identity === null || refusalOf(identity) !== null ? null : identity
  }
  const server = createSecureServer({
    // A node that joins finds the authority in the chain.
    credentials: { ...credentials, certificate: credentials.certificate + authority.certificatePem },
    limit: new ConnectionLimit({
      isKnown: (address) => isLoopback(address) || clusters.knowsAddress(address),
      monotonicMs,
    }),
    mostConnections: mostSockets,
    monotonicMs,
    onRequest: createApi({
      version,
      clusters,
      commands: [
        drillApi({ clusters, identityOf: callerOf }),
        createEnrolmentRouter({
          authority,
          registry,
          // Includes removed nodes, because the router tells them that they were removed.
          identityOf: (request) => identityOfPeer(request.socket),
          ownAddress: () => addressForNodes(config.listen),
          isConnected: ({ cluster, node }) => clusters.get(cluster)?.hears(node) === true,
          holdsLease: ({ cluster, node }) => clusters.get(cluster)?.holdsLease(node) === true,
          tell: (cluster, occurrence) => void clusters.tell(cluster, occurrence),
          onUnknownInvite: (from) =>
            refusals.count('unknown-invite', 'a join without a valid invite', { from }),
          nowMs,
        }),
      ],
      callerOf,
      refused: () => refusals.counts,
      onError: (error) =>
        log.error('request-failed', 'a request could not be answered', { error: String(error) }),
      onRefused: (kind, facts) =>
        refusals.count(kind, 'a request to the API that its sender may not make', facts),
    }),
    onRefused: (kind, from) =>
      refusals.count(kind, 'a connection or request that exceeded a limit or did not use TLS', { from }),
  })
  const agents = acceptAgents(server, {
    refusalOf: refusalOfAgent,
    maxConnections: mostAgents,
    monotonicMs,
    onRefused: (kind, text, from) => refusals.count(kind, `an upgrade to WebSocket: ${text}`, { from }),
    onOpen: gateway.onOpen,
    onMessage: gateway.onMessage,
    onClose: gateway.onClose,
  })
  registry.onChange((cluster) => {
    gateway.closeRefused(refusalOfAgent)
    gateway.askForRenewals()
    void clusters.membersChanged(cluster)
  })
  const pinger = new Pinger({
    clusters: () => clusters.all,
    echo,
    intervalMs: config.icmpIntervalMs,
    log,
    // A witness without clusters has nothing to decide, and is healthy all the same.
    onRound: () => {
      if (clusters.all.length === 0) service.turned({ atMs: nowMs(), everyMs: config.icmpIntervalMs })
    },
  })

  const renewals = setInterval(() => gateway.askForRenewals(), renewalsMs)

  const address = await listen(server, config.listen)
  await clusters.start()
  pinger.start()

  return {
    address,
    stop: async () => {
      clearInterval(renewals)
      pinger.stop()
      server.close()
      await clusters.close()
      agents.close()
      await registry.flush()
      server.closeIdleConnections()
    },
  }
}

/** What an operator should know about a certificate that was not expected. */
function newsOf(
  found: ReturnType<Registry['sawInUse']>,
  { node, generation }: NodeIdentity,
): Occurrence | null {
  const facts = {
    level: 'warning',
    instance: null,
    node,
    evidence: { generation },
    decision: 'accepted as it is',
  } as const
  switch (found) {
    case 'known':
      return null
    case 'adopted':
      return {
        ...facts,
        event: 'node-adopted',
        text: `${node} has a certificate of this witness, but the record of enrolments was lost, so the node is accepted as it is. If it had been removed, remove it again.`,
      }
    case 'ahead':
      return {
        ...facts,
        event: 'certificate-ahead',
        text: `${node} has a newer certificate (generation ${generation}) than the record of enrolments knows. Check whether the witness's data folder was restored from an older copy.`,
      }
    default:
      return assertNever(found)
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
