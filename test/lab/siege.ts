/**
 * Attacks from the network on a lab, and their effect on everybody else: how late heartbeats are, what the witness
 * counts and logs, and what the attacks cost in memory and descriptors.
 */
import { type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { Authority } from '../../server/registry/authority.ts'
import { writeCredentials } from '../../shared/identity/credentials.ts'
import { makeKeyRequest } from '../../shared/identity/key-request.ts'
import { nodes, witnessUrl, type LabHost } from './address-plan.ts'
import type { Attack, AttackCount } from './attack.ts'
import { type ClusterUnderTest } from './cluster-under-test.ts'
import { labMount, type NamespaceHost } from './namespace-host.ts'
import { pause, until } from './pause.ts'
import { clusterView, refusedCounts } from './witness-api.ts'

export interface SiegePlan {
  readonly attacks: readonly PlannedAttack[]
}

export interface PlannedAttack extends Omit<Attack, 'identity'> {
  /** Where the attacker's program runs. */
  readonly on: Extract<LabHost, 'client' | 'lb02'>
  readonly identity: 'rogue01' | 'rogue02' | 'lb02' | 'foreign' | null
  /** How long after the beginning of the siege. */
  readonly afterMs: number
}

/** How late something came, in ms. */
export interface Lateness {
  readonly number: number
  readonly medianMs: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface ProcessCost {
  readonly residentKiB: number
  readonly descriptors: number
}

export interface SiegeFigures {
  /** From when a bystander's heartbeat was due until the witness's answer arrived. */
  readonly calm: Lateness
  readonly attacked: Lateness
  /**
   * How long the witness had not heard lb01 and lb02, and how long these had not heard each other, sampled during the
   * attacks.
   */
  readonly silence: Readonly<Record<'lb01' | 'lb02' | 'lb01 of lb02' | 'lb02 of lb01', Lateness>>
  /** What the attackers report, by attack. */
  readonly attacks: readonly { readonly attack: string; readonly count: AttackCount }[]
  /** What the witness refused during the siege, by kind. */
  readonly refused: Readonly<Record<string, number>>
  /** Lines that were logged during the attacks, by event (and kind of refusal). */
  readonly lines: Readonly<Record<'witness' | 'lb01' | 'lb02', Readonly<Record<string, number>>>>
  readonly witness: { readonly before: ProcessCost; readonly peak: ProcessCost; readonly after: ProcessCost }
  readonly lastedMs: number
}

export const bystanders = { cluster: 'bystanders', nodes: ['by01', 'by02'] } as const
const beatEveryMs = 50
const sampleEveryMs = 100
/** How long the witness may take to free what the last attack left: its own deadlines and a garbage collection. */
const settleMs = 8000

interface Answered {
  readonly dueAtMs: number
  readonly lateMs: number
}

export class Siege {
  readonly #cluster: ClusterUnderTest
  readonly #plan: SiegePlan
  readonly #beats: Answered[] = []
  readonly #silence = {
    lb01: [] as number[],
    lb02: [] as number[],
    'lb01 of lb02': [] as number[],
    'lb02 of lb01': [] as number[],
  }
  readonly #attacks: { attack: string; count: AttackCount }[] = []
  #attackers: Promise<void>[] = []
  #before: ProcessCost = { residentKiB: 0, descriptors: 0 }
  #peak: ProcessCost = { residentKiB: 0, descriptors: 0 }
  #after: ProcessCost = { residentKiB: 0, descriptors: 0 }
  #refusedBefore: Readonly<Record<string, number>> = {}
  #refusedAfter: Readonly<Record<string, number>> = {}
  #bystandersFromMs = 0
  #beganAtMs = 0
  #endedAtMs = 0
  #sampling: Promise<void> = Promise.resolve()

  private constructor(cluster: ClusterUnderTest, plan: SiegePlan) {
    this.#cluster = cluster
    this.#plan = plan
  }

  /** Bystanders that are connected, and some seconds of calm for comparison. */
  static async prepare(cluster: ClusterUnderTest, plan: SiegePlan): Promise<Siege> {
    const siege = new Siege(cluster, plan)
    await siege.#makeForeigner()
    const client = cluster.host('client')
    const addresses = plan.attacks.filter(({ on }) => on === 'client').map(({ from }) => from)
    for (const address of new Set(addresses))
      await client.run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0')
    for (const node of bystanders.nodes) siege.#startBystander(client, node)
    await until('the bystanders are answered', { withinMs: 10_000, everyMs: 50 }, () =>
      Promise.resolve(siege.#beats.filter(({ lateMs }) => lateMs < 100).length > 40 ? true : null),
    )
    siege.#bystandersFromMs = Date.now()
    await pause(3000)
    return siege
  }

  async begin(): Promise<void> {
    const witness = this.#cluster.host('witness')
    this.#before = await costOf(witness)
    this.#peak = this.#before
    this.#refusedBefore = (await refusedCounts(witness)) ?? {}
    this.#beganAtMs = Date.now()
    this.#attackers = this.#plan.attacks.map((attack) => this.#attack(attack))
    this.#sampling = this.#sample()
  }

  /** Settles when all attackers have ended by themselves, and the witness has had time to free its resources. */
  async end(): Promise<void> {
    await Promise.all(this.#attackers)
    this.#endedAtMs = Date.now()
    await this.#sampling
    await pause(settleMs)
    const witness = this.#cluster.host('witness')
    this.#after = await costOf(witness)
    this.#refusedAfter = (await refusedCounts(witness)) ?? {}
  }

  figures(): SiegeFigures {
    const beats = (fromMs: number, toMs: number): number[] =>
      this.#beats.filter(({ dueAtMs }) => dueAtMs >= fromMs && dueAtMs < toMs).map(({ lateMs }) => lateMs)
    const log = (host: string, name: string): Readonly<Record<string, number>> =>
      linesByEvent(join(this.#cluster.folderPath, host, `${name}.log`), this.#beganAtMs, this.#endedAtMs)
    return {
      calm: latenessOf(beats(this.#bystandersFromMs, this.#beganAtMs)),
      attacked: latenessOf(beats(this.#beganAtMs, this.#endedAtMs)),
      silence: {
        lb01: latenessOf(this.#silence.lb01),
        lb02: latenessOf(this.#silence.lb02),
        'lb01 of lb02': latenessOf(this.#silence['lb01 of lb02']),
        'lb02 of lb01': latenessOf(this.#silence['lb02 of lb01']),
      },
      attacks: this.#attacks,
      refused: Object.fromEntries(
        Object.entries(this.#refusedAfter).map(([kind, count]) => [
          kind,
          count - (this.#refusedBefore[kind] ?? 0),
        ]),
      ),
      lines: {
        witness: log('witness', 'witnessd'),
        lb01: log('lb01', 'witness-agent'),
        lb02: log('lb02', 'witness-agent'),
      },
      witness: { before: this.#before, peak: this.#peak, after: this.#after },
      lastedMs: this.#endedAtMs - this.#beganAtMs,
    }
  }

  /** Somebody with the same names and a certificate of another authority. */
  async #makeForeigner(): Promise<void> {
    const authority = await Authority.inMemory()
    const { key, request } = await makeKeyRequest()
    const certificate = await authority.signNode({ cluster: 'web', node: 'lb01', generation: 1, request })
    const folder = join(this.#cluster.folderPath, 'guests/foreign')
    writeCredentials(folder, { key, certificate, authority: authority.certificatePem })
  }

  #startBystander(host: NamespaceHost, node: string): void {
    const program = host.stream(
      process.execPath,
      `${labMount}/programs/bystander.cjs`,
      ...[`${labMount}/guests/${node}`, bystanders.cluster, node, witnessUrl, String(beatEveryMs)],
    )
    eachLine(program, (line) => {
      const [dueAtMs, lateMs] = line.split(' ')
      this.#beats.push({ dueAtMs: Number(dueAtMs), lateMs: lateMs === '-' ? Infinity : Number(lateMs) })
    })
  }

  async #attack({ on, identity, afterMs, ...attack }: PlannedAttack): Promise<void> {
    await pause(afterMs)
    const told: Attack = { ...attack, identity: identity === null ? null : identityFolders[identity] }
    const program = this.#cluster
      .host(on)
      // In reality an attacker has processors of its own; here it gets what the others leave.
      .stream('nice', '-n', '15', process.execPath, `${labMount}/programs/attacker.cjs`, JSON.stringify(told))
    const { host, port } = attack.target
    eachLine(program, (line) =>
      this.#attacks.push({
        attack: `${attack.kind} as ${identity ?? 'nobody'} at ${host}:${port}`,
        count: countSchema.parse(JSON.parse(line)),
      }),
    )
    await new Promise((resolve) => program.once('exit', resolve))
  }

  async #sample(): Promise<void> {
    const witness = this.#cluster.host('witness')
    while (this.#endedAtMs === 0) {
      const [view, cost] = await Promise.all([clusterView(witness), costOf(witness)])
      this.#peak = {
        residentKiB: Math.max(this.#peak.residentKiB, cost.residentKiB),
        descriptors: Math.max(this.#peak.descriptors, cost.descriptors),
      }
      for (const node of nodes) {
        const seen = view?.nodes.find((each) => each.node === node)
        this.#silence[node].push(seen?.heartbeatAgeMs ?? Infinity)
        const peerSilentMs = seen?.instances[0]?.peerSilentMs
        this.#silence[node === 'lb01' ? 'lb01 of lb02' : 'lb02 of lb01'].push(peerSilentMs ?? Infinity)
      }
      await pause(sampleEveryMs)
    }
  }
}

const identityFolders = {
  rogue01: `${labMount}/guests/rogue01`,
  rogue02: `${labMount}/guests/rogue02`,
  lb02: `${labMount}/lb02/state`,
  foreign: `${labMount}/guests/foreign`,
} as const

const countSchema = z.record(z.string(), z.number())

export function latenessOf(values: readonly number[]): Lateness {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
  return { number: sorted.length, medianMs: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) }
}

async function costOf(witness: NamespaceHost): Promise<ProcessCost> {
  const text = await witness.shell(
    `pid=$(cat /run/witnessd.pid); ls /proc/$pid/fd | wc -l; sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$pid/status`,
  )
  const [descriptors, residentKiB] = text.trim().split('\n').map(Number)
  return { residentKiB: residentKiB ?? Number.NaN, descriptors: descriptors ?? Number.NaN }
}

const lineSchema = z.object({ time: z.string(), event: z.string(), kind: z.string().optional() })

function linesByEvent(path: string, fromMs: number, toMs: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (!line.startsWith('{')) continue
    const { time, event, kind } = lineSchema.parse(JSON.parse(line))
    const atMs = Date.parse(time)
    if (atMs < fromMs || atMs > toMs) continue
    const name = kind === undefined ? event : `${event} ${kind}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

function eachLine(program: ChildProcess, take: (line: string) => void): void {
  if (program.stdout === null) throw new Error('the program has no output')
  createInterface(program.stdout).on('line', take)
}
