/**
 * What lies on the disk of a node: agent.yaml and keepalived.conf as an admin writes them, and the programs that the agent
 * would ask about the kernel and about keepalived. The agent takes all of it by its usual options and by PATH.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { z } from 'zod'
import type { agentConfigSchema } from '../../agent/config.ts'
import {
  addressOf,
  cluster,
  instance,
  peerOf,
  priorities,
  relayTo,
  vip,
  type DevNode,
} from './address-plan.ts'
import { addressListOf } from './keepalived/addresses.ts'
import type { KeepalivedSettings } from './keepalived/main.ts'

export interface NodeFiles {
  readonly stateDir: string
  readonly agentConfig: string
  /** What the process of the agent, and of keepalived, has before the usual PATH. */
  readonly programs: string
  readonly keepalived: KeepalivedSettings
}

export interface NodeToWrite {
  readonly node: DevNode
  /** Of the whole pair. */
  readonly folder: string
  readonly witnessUrl: string
  /** Of the agents, and of the keepaliveds, which speak UDP. */
  readonly ports: Readonly<Record<DevNode, number>>
  readonly cutFile: string
  readonly serviceSocket: string
}

const root = join(import.meta.dirname, '../..')
const check = join(root, 'agent/check/witness-check')
const example = join(root, 'deploy/examples/keepalived.conf')
const service = join(import.meta.dirname, 'keepalived/service.mjs')
/** SIGUSR2 stands for the real-time signal of the real one, which Node.js cannot receive. */
const dumpSignal = 12

export function writeNodeFiles(options: NodeToWrite): NodeFiles {
  const { node, folder, witnessUrl, ports, cutFile, serviceSocket } = options
  const home = join(folder, node)
  const programs = join(home, 'programs')
  const runDir = join(home, 'run')
  const stateDir = join(home, 'state')
  for (const path of [programs, runDir, stateDir]) mkdirSync(path, { recursive: true })
  const peer = peerOf(node)
  const keepalived: KeepalivedSettings = {
    config: join(home, 'keepalived.conf'),
    runDir,
    pidFile: join(home, 'keepalived.pid'),
    dumpFile: join(home, 'keepalived.json'),
    addressFile: join(home, 'addresses.json'),
    cutFile,
    check: [check, '--state-dir', stateDir, instance],
    own: { address: addressOf[node], port: ports[node] },
    peer: { address: addressOf[peer], port: ports[peer] },
  }
  const { config, pidFile, dumpFile, addressFile } = keepalived
  const order = (word: string): string[] => [process.execPath, service, serviceSocket, `${word} ${node}`]
  const agent: z.input<typeof agentConfigSchema> = {
    cluster,
    node,
    witness: witnessUrl,
    listen: `${addressOf[node]}:${ports[node]}`,
    advertise: relayTo[node],
    stateDir,
    runDir,
    keepalived: {
      config,
      pidFile,
      vrrpPidFile: pidFile,
      program: join(programs, 'keepalived'),
      dumpFile,
      statsFile: join(home, 'keepalived.stats'),
      stopCommand: order('stop'),
      startCommand: order('start'),
    },
  }
  const agentConfig = join(home, 'agent.yaml')
  writeFileSync(agentConfig, stringify(agent))
  writeFileSync(config, keepalivedConf(node, { runDir, check: keepalived.check.join(' ') }))
  writeFileSync(addressFile, addressListOf([]))
  writeProgram(join(programs, 'ip'), ipProgram(addressFile))
  writeProgram(join(programs, 'keepalived'), keepalivedProgram)
  return { stateDir, agentConfig, programs, keepalived }
}

function writeProgram(path: string, text: string): void {
  writeFileSync(path, text)
  chmodSync(path, 0o755)
}

/** The example of the documents, with the paths and addresses of this pair. */
function keepalivedConf(node: DevNode, { runDir, check }: { runDir: string; check: string }): string {
  const changes = [
    ['/run/keepalived-witness/', `${runDir}/`],
    ['/usr/libexec/keepalived/witness-check VI_1', check],
    ['interface eth0', 'interface lo'],
    ['priority 150', `priority ${priorities[node]}`],
    ['10.0.0.100/24', `${vip}/24`],
  ] as const
  return changes.reduce(
    (text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`${example} has no "${from}"`)
      return text.replaceAll(from, to)
    },
    readFileSync(example, 'utf8'),
  )
}

/** `ip` as the agent calls it: the addresses of this node, and the removal of its VIP in the last rungs of a fence. */
function ipProgram(addressFile: string): string {
  return `#!/bin/sh
case "$1 $2" in
'-j addr') exec cat '${addressFile}' ;;
'-force -batch') printf '%s' '${addressListOf([])}' >'${addressFile}.new' && exec mv '${addressFile}.new' '${addressFile}' ;;
esac
echo "this ip knows only -j addr, and -force -batch" >&2
exit 1
`
}

/** `keepalived` as the agent calls it: what it was built with, and which signal makes it write its dump. */
const keepalivedProgram = `#!/bin/sh
case "$1" in
-v) echo 'Config options: JSON' ;;
--signum=JSON) echo ${dumpSignal} ;;
*) exit 1 ;;
esac
`
