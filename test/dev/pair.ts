/** A witness and a protected pair on this host: every program as a process of its own, with links that can be cut. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readCredentials } from '../../shared/identity/credentials.ts'
import type { ClusterView } from '../../shared/protocol/view.ts'
import { WitnessClient } from '../../server/witnessctl/witness-client.ts'
import { enrolHosts } from '../lab/enrolled-hosts.ts'
import {
  addressOf,
  cluster,
  nodes,
  peerOf,
  relayTo,
  relayToWitness,
  witnessAddress,
  type DevNode,
} from './address-plan.ts'
import { Daemon } from './daemon.ts'
import type { Happening } from './happening.ts'
import { writeNodeFiles, type NodeFiles } from './node-files.ts'
import { Relay } from './relay.ts'
import { serveOrders } from './service-manager.ts'

/** What a key turns off, and on again. */
export interface Switch {
  readonly kind: 'link' | 'program'
  readonly key: (typeof switchKeys)[number]
  readonly name: string
  isOff(): boolean
  toggle(): Promise<void> | void
}

export interface Pair {
  readonly switches: readonly Switch[]
  /** The command that asks the same witness, for a second terminal. */
  readonly witnessctl: string
  /** @throws WitnessClientError where the witness does not answer */
  view(): Promise<ClusterView>
}

export const switchKeys = ['1', '2', '3', '4', 'w', 'a', 'b', 'k', 'l'] as const

export interface PairEvents {
  readonly happening: (happening: Happening) => void
  /** A witness or an agent has ended by itself: that is a fault of the program. */
  readonly crashed: () => void
}

/** @throws where a program does not start */
export async function startPair(folder: string, on: PairEvents): Promise<Pair> {
  const relays = await openRelays()
  const port = relays.toWitness.lb01.port
  const cutFile = join(folder, 'adverts-cut')
  const serviceSocket = join(folder, 'services.sock')
  const files = byNode((node) =>
    writeNodeFiles({
      ...{ node, folder, cutFile, serviceSocket },
      witnessUrl: `https://${relayToWitness[node]}:${port}`,
      ports: byNode((one) => relays.toAgent[one].port),
    }),
  )
  const dataDir = join(folder, 'witness/data')
  await enrolHosts(
    dataDir,
    nodes.map((node) => ({
      ...{ cluster, node, stateDir: files[node].stateDir },
      ...{ address: relayTo[node], port: relays.toAgent[node].port },
    })),
  )
  const witness = witnessDaemon(join(folder, 'witness'), port, on)
  const agents = byNode((node) => agentDaemon(node, files[node], on))
  const keepaliveds = byNode((node) => keepalivedDaemon(node, files[node], on))
  serveOrders(serviceSocket, keepaliveds)
  // In the order in which a newcomer can follow the events: who decides, who obeys, what is decided about.
  for (const layer of [[witness], Object.values(agents), Object.values(keepaliveds)])
    await Promise.all(layer.map((daemon) => daemon.start()))

  const witnessUrl = `https://${witnessAddress}:${port}`
  const adminFolder = join(dataDir, 'admin')
  const client = new WitnessClient({
    url: witnessUrl,
    identity: readCredentials(adminFolder, ''),
    folder: adminFolder,
  })
  return {
    switches: [
      advertsSwitch(cutFile),
      relaySwitch('2', 'heartbeats', Object.values(relays.toAgent)),
      relaySwitch('3', 'lb01-witness', [relays.toWitness.lb01]),
      relaySwitch('4', 'lb02-witness', [relays.toWitness.lb02]),
      daemonSwitch('w', witness),
      daemonSwitch('a', agents.lb01),
      daemonSwitch('b', agents.lb02),
      daemonSwitch('k', keepaliveds.lb01),
      daemonSwitch('l', keepaliveds.lb02),
    ],
    witnessctl: `npx tsx server/witnessctl/main.ts --url ${witnessUrl} --identity ${adminFolder} status`,
    view: () => client.showCluster(cluster),
  }
}

interface Relays {
  readonly toAgent: Readonly<Record<DevNode, Relay>>
  readonly toWitness: Readonly<Record<DevNode, Relay>>
}

async function openRelays(): Promise<Relays> {
  const toAgent = (node: DevNode): Promise<Relay> =>
    Relay.listen({ at: relayTo[node], to: addressOf[node], from: relayTo[peerOf(node)], port: 0 })
  const toWitness = (node: DevNode, port: number): Promise<Relay> =>
    Relay.listen({ at: relayToWitness[node], to: witnessAddress, from: relayTo[node], port })
  const first = await toWitness('lb01', 0)
  return {
    toAgent: { lb01: await toAgent('lb01'), lb02: await toAgent('lb02') },
    toWitness: { lb01: first, lb02: await toWitness('lb02', first.port) },
  }
}

function witnessDaemon(home: string, port: number, { happening, crashed }: PairEvents): Daemon {
  mkdirSync(home, { recursive: true })
  const config = join(home, 'witness.yaml')
  writeFileSync(
    config,
    stringify({
      listen: `${witnessAddress}:${port}`,
      dataDir: join(home, 'data'),
      runDir: join(home, 'run'),
    }),
  )
  return new Daemon({
    name: 'witness',
    command: ['server/main.ts', '--config', config],
    env: {},
    upEvent: 'listening',
    on: (one) => {
      // The agent's own line was there before.
      if (!one.event.startsWith('agent.')) happening(one)
    },
    onCrash: crashed,
  })
}

function agentDaemon(node: DevNode, { agentConfig, programs }: NodeFiles, on: PairEvents): Daemon {
  return new Daemon({
    name: `${node} agent`,
    command: ['agent/main.ts', '--config', agentConfig],
    env: { PATH: pathWith(programs) },
    upEvent: 'start',
    on: on.happening,
    onCrash: on.crashed,
  })
}

function keepalivedDaemon(node: DevNode, { keepalived }: NodeFiles, on: PairEvents): Daemon {
  return new Daemon({
    name: `${node} keepalived`,
    command: ['test/dev/keepalived/main.ts', JSON.stringify(keepalived)],
    env: {},
    upEvent: 'started',
    on: on.happening,
    // The last rungs of a fence kill it.
    onCrash: () => undefined,
  })
}

function pathWith(folder: string): string {
  return `${folder}:${process.env.PATH ?? ''}`
}

function advertsSwitch(cutFile: string): Switch {
  const isOff = (): boolean => existsSync(cutFile)
  return {
    kind: 'link',
    key: '1',
    name: 'VRRP',
    isOff,
    toggle: () => {
      if (isOff()) rmSync(cutFile)
      else writeFileSync(cutFile, '')
    },
  }
}

function relaySwitch(key: Switch['key'], name: string, relays: readonly Relay[]): Switch {
  const isOff = (): boolean => relays.some(({ isCut }) => isCut)
  return {
    kind: 'link',
    key,
    name,
    isOff,
    toggle: () => {
      const heals = isOff()
      for (const relay of relays)
        if (heals) relay.heal()
        else relay.cut()
    },
  }
}

function daemonSwitch(key: Switch['key'], daemon: Daemon): Switch {
  return {
    kind: 'program',
    key,
    name: daemon.name,
    isOff: () => daemon.state === 'killed' || daemon.state === 'crashed',
    toggle: () => (daemon.state === 'running' ? daemon.kill() : daemon.start()),
  }
}

function byNode<T>(make: (node: DevNode) => T): Record<DevNode, T> {
  return { lb01: make('lb01'), lb02: make('lb02') }
}
