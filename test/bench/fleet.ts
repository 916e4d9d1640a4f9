/** Part 5: a fleet of pairs, whose witness is restarted. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootClockMs, bootId } from '../../shared/host/boot-clock.ts'
import { makeKeyRequest } from '../../shared/identity/key-request.ts'
import { Authority } from '../../server/registry/authority.ts'
import { Registry } from '../../server/registry/registry.ts'
import { pause } from '../lab/pause.ts'
import type { FleetFile, FleetNews, FleetNode } from './fleet-clients.ts'
import type { Section } from './markdown.ts'

export interface FleetFigures {
  readonly pairs: number
  /** From the start of the witness's new process until every agent was answered; null: not all of them were. */
  readonly backMs: number | null
  readonly inUseAtEnd: number
  readonly dials: number
  /** How long an answer to a heartbeat took. */
  readonly calmMs: Percentiles
  readonly restartMs: Percentiles
}

interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

/** After a start there is more to do for a while: compiling, garbage collection, connecting. */
const settleMs = 10_000
const calmMs = 10_000
const longestWaitMs = 60_000

/** @param options.product the folder of the built programs */
export async function measureFleet(options: {
  readonly pairs: number
  readonly product: string
  readonly tell: (text: string) => void
}): Promise<FleetFigures> {
  const { pairs, product, tell } = options
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
  // The marks of promises are written at each renewal; on a host their folder is on tmpfs.
  const runDir = mkdtempSync('/dev/shm/fleet-run-')
  const fleet = await Fleet.enrol({ folder, runDir, pairs, product })
  try {
    tell(`fleet: ${2 * pairs} agents connect`)
    await fleet.startWitness()
    fleet.startClients()
    await fleet.everybodyBack()
    await pause(settleMs)
    fleet.forget()
    await pause(calmMs)
    const calm = percentilesOf(fleet.answersMs)
    tell('fleet: the witness is restarted')
    await fleet.stopWitness()
    await fleet.nobodyLeft()
    fleet.forget()
    const startedAtMs = performance.now()
    await fleet.startWitness()
    const isBack = await fleet.everybodyBack()
    return {
      pairs,
      backMs: isBack ? performance.now() - startedAtMs : null,
      inUseAtEnd: fleet.inUse,
      dials: fleet.dials,
      calmMs: calm,
      restartMs: percentilesOf(fleet.answersMs),
    }
  } finally {
    await fleet.end()
    for (const each of [folder, runDir]) rmSync(each, { recursive: true, force: true })
  }
}

class Fleet {
  readonly #folder: string
  readonly #product: string
  readonly #pairs: number
  #witness: ChildProcess | null = null
  #clients: ChildProcess | null = null
  inUse = 0
  dials = 0
  answersMs: number[] = []

  private constructor(options: { folder: string; product: string; pairs: number }) {
    this.#folder = options.folder
    this.#product = options.product
    this.#pairs = options.pairs
  }

  /** As `invite` and `join` leave it on the disk of the witness. */
  static async enrol(options: {
    folder: string
    runDir: string
    product: string
    pairs: number
  }): Promise<Fleet> {
    const { folder, runDir, pairs } = options
    const authorityFolder = join(folder, 'data/authority')
    mkdirSync(authorityFolder, { recursive: true, mode: 0o700 })
    const authority = await Authority.open(authorityFolder)
    const registry = await Registry.open({
      folder: authorityFolder,
      authorityWasThere: true,
      onError: (error) => {
        throw error
      },
      bootId: bootId(),
      nowMs: bootClockMs,
      now: () => new Date(),
    })
    const nodes: FleetNode[] = []
    for (let pair = 0; pair < pairs; pair += 1)
      for (const [at, node] of ['lb01', 'lb02'].entries()) {
        const cluster = `pair-${pair}`
        const address = `127.${20 + at}.${Math.floor(pair / 250)}.${1 + (pair % 250)}`
        const invited = await registry.invite({ cluster, node })
        if (invited.kind !== 'done') throw new Error(invited.text)
        const { key, request } = await makeKeyRequest()
        const redeemed = await registry.redeem({ cluster, node, secret: invited.secret, address, port: 7401 })
        if (redeemed.kind !== 'done') throw new Error(redeemed.text)
        const { generation } = redeemed
        const certificate = await authority.signNode({ request, cluster, node, generation })
        nodes.push({ cluster, node, address, key, certificate })
      }
    await registry.flush()
    const port = await freePort()
    writeFileSync(
      join(folder, 'witness.yaml'),
      `listen: 127.0.0.1:${port}\ndataDir: ${folder}/data\nrunDir: ${runDir}\nlogLevel: warn\n`,
    )
    const file: FleetFile = { url: `https://127.0.0.1:${port}`, authority: authority.certificatePem, nodes }
    writeFileSync(join(folder, 'fleet.json'), JSON.stringify(file), { mode: 0o600 })
    return new Fleet(options)
  }

  /** On one core, which the clients do not use. */
  async startWitness(): Promise<void> {
    const program = join(this.#product, 'witnessd.cjs')
    const config = join(this.#folder, 'witness.yaml')
    this.#witness = spawn('taskset', ['-c', '0', process.execPath, program, '--config', config], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await once(this.#witness, 'spawn')
  }

  async stopWitness(): Promise<void> {
    const witness = this.#witness
    this.#witness = null
    if (witness?.exitCode !== null) return
    const ended = once(witness, 'exit')
    witness.kill('SIGTERM')
    await ended
  }

  startClients(): void {
    const clients = fork(new URL('fleet-clients.ts', import.meta.url), [join(this.#folder, 'fleet.json')])
    if (clients.pid !== undefined) spawn('taskset', ['-acp', '1', String(clients.pid)], { stdio: 'ignore' })
    clients.on('message', (message) => {
      // Only fleet-clients.ts sends here.
      const { inUse, dials, answersMs } = message as FleetNews
      this.inUse = inUse
      this.dials += dials
      this.answersMs.push(...answersMs)
    })
    this.#clients = clients
  }

  /** What was counted so far belongs to another part of the run. */
  forget(): void {
    this.dials = 0
    this.answersMs = []
  }

  /** @returns whether each agent was answered before the wait was given up. */
  everybodyBack(): Promise<boolean> {
    return this.#until(() => this.inUse === 2 * this.#pairs)
  }

  nobodyLeft(): Promise<boolean> {
    return this.#until(() => this.inUse === 0)
  }

  async end(): Promise<void> {
    this.#clients?.kill('SIGKILL')
    await this.stopWitness()
  }

  async #until(isSo: () => boolean): Promise<boolean> {
    const deadlineMs = performance.now() + longestWaitMs
    while (!isSo()) {
      if (performance.now() > deadlineMs) return false
      await pause(50)
    }
    return true
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (typeof address !== 'object' || address === null) throw new Error('no free port')
  return address.port
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) }
}

export function fleetSection(figures: readonly FleetFigures[], setting: string): Section {
  const text = ({ p50, p99, most }: Percentiles): string =>
    [p50, p99, most].map((ms) => ms.toFixed(0)).join(' / ')
  return {
    id: 'fleet',
    title: 'A fleet whose witness is restarted',
    how: 'Each pair is two agents with keys and addresses of their own, which send a heartbeat every 400 ms over the connections of the product. The witness has one core, all agents together have another one. Back: from the start of the new process until each agent was answered. Answers: from the heartbeat to its answer, median / 99th percentile / longest, in ms, calm and from the restart until all are back.',
    setting,
    table: {
      head: ['pairs', 'all back after, s', 'dials', 'answers, calm', 'answers, restart'],
      rows: figures.map(({ pairs, backMs, inUseAtEnd, dials, calmMs: calm, restartMs }) => [
        String(pairs),
        backMs === null ? `never: ${inUseAtEnd} of ${2 * pairs}` : (backMs / 1000).toFixed(1),
        String(dials),
        text(calm),
        text(restartMs),
      ]),
    },
    notes: [],
    keyCells: 1,
  }
}
