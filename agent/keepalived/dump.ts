/**
 * A snapshot of keepalived, requested by a signal: the state of each instance, and how many adverts it received. It
 * is needed when the FIFO is silent: at the agent's start, and after a reload (keepalived issue #2359).
 */
import { readFileSync, statSync, unlinkSync } from 'node:fs'
import { z } from 'zod'
import { runCommand } from '../../shared/host/command.ts'
import type { KeepalivedState } from '../../shared/protocol/report.ts'
import { dumpHindrance } from './dump-hindrance.ts'
import { vipOfDump, type Vip } from './vip.ts'

export interface InstanceSnapshot {
  readonly instance: string
  /** Null: the dump does not say (keepalived built without JSON). */
  readonly state: KeepalivedState | null
  readonly advertsReceived: number | null
  /** The settings that keepalived runs with; null: the dump does not say. */
  readonly settings: RunningSettings | null
}

/** What keepalived made of its configuration. */
export interface RunningSettings {
  readonly virtualRouterId: number
  readonly basePriority: number
  /** With the weights of scripts, files, interfaces and processes. */
  readonly effectivePriority: number
  readonly advertIntMs: number
  readonly version: number
  readonly nopreempt: boolean
  /** Of `virtual_ipaddress` and `virtual_ipaddress_excluded`. */
  readonly vips: readonly Vip[]
}

export interface DumpOptions {
  /** keepalived's own program, asked for what it was built with. */
  readonly program: string
  /** Where the JSON dump appears. */
  readonly dumpFile: string
  /** Where the text statistics appear. */
  readonly statsFile: string
}

type Method = { readonly kind: 'json' | 'stats'; readonly signal: number }

const askTimeoutMs = 2000
const dumpDeadlineMs = 500
const pollMs = 5

const dumpStates: readonly KeepalivedState[] = ['INIT', 'BACKUP', 'MASTER', 'FAULT']

/** A list that is empty is left out of the dump. */
const addressList = z.array(z.string()).default([])

const dumpSettings = z
  .object({
    vrid: z.number().int(),
    base_priority: z.number().int(),
    effective_priority: z.number().int(),
    adver_int: z.number(),
    version: z.number().int(),
    nopreempt: z.boolean(),
    vips: addressList,
    evips: addressList,
  })
  .transform(
    ({
      vrid,
      base_priority,
      effective_priority,
      adver_int,
      version,
      nopreempt,
      vips,
      evips,
    }): RunningSettings => ({
      virtualRouterId: vrid,
      basePriority: base_priority,
      effectivePriority: effective_priority,
      advertIntMs: Math.round(adver_int * 1000),
      version,
      nopreempt,
      vips: [...vips, ...evips].map(vipOfDump).filter((vip) => vip !== null),
    }),
  )

const dumpInstance = z.object({
  data: z.looseObject({
    iname: z.string(),
    state: z.number().int(),
  }),
  stats: z.object({ advert_rcvd: z.number().int().optional() }).optional(),
})
/** keepalived writes a list of instances; with `json_version 2` that list is under `vrrp`. */
const dumpSchema = z.union([
  z.array(dumpInstance),
  z.object({ vrrp: z.array(dumpInstance) }).transform(({ vrrp }) => vrrp),
])

/** @throws when it is not a whole dump. */
export function parseDump(json: string): InstanceSnapshot[] {
  return dumpSchema.parse(JSON.parse(json)).map(({ data, stats }) => ({
    instance: data.iname,
    state: dumpStates[data.state] ?? 'UNKNOWN',
    advertsReceived: stats?.advert_rcvd ?? null,
    // A dump of another version may spell them otherwise; its states count all the same.
    settings: dumpSettings.safeParse(data).data ?? null,
  }))
}

/**
 * The advert counts of keepalived's text statistics.
 * @throws when it is not whole: each instance ends with its "Priority Zero" counts.
 */
export function parseStats(text: string): InstanceSnapshot[] {
  const sections = text.split(/^\s*VRRP Instance:\s*/m).slice(1)
  const last = sections.at(-1)
  if (last === undefined || !/Priority Zero[\s\S]*Sent:/.test(last)) throw new Error('not whole yet')
  return sections.map((section) => {
    const received = /Advertisements:\s*Received:\s*(\d+)/.exec(section)?.[1]
    return {
      instance: section.split('\n', 1)[0]?.trim() ?? '',
      state: null,
      advertsReceived: received === undefined ? null : Number(received),
      settings: null,
    }
  })
}

export class KeepalivedDump {
  readonly #options: DumpOptions
  readonly #nowMs: () => number
  #method: Promise<Method | null> | null = null
  #running: { pid: number; result: Promise<InstanceSnapshot[] | null> } | null = null

  constructor(options: DumpOptions, nowMs: () => number) {
    this.#options = options
    this.#nowMs = nowMs
  }

  /** Null if keepalived does not answer in time (because it is frozen) or cannot be asked. `pid` is the parent's. */
  take(pid: number): Promise<InstanceSnapshot[] | null> {
    // Two dumps at once would read each other's file.
    if (this.#running?.pid === pid) return this.#running.result
    const result = this.#take(pid).finally(() => {
      if (this.#running?.result === result) this.#running = null
    })
    this.#running = { pid, result }
    return result
  }

  /** Why no dump came, for the operator. `pid` is the parent's. */
  async whyInVain(pid: number): Promise<string> {
    const { program } = this.#options
    const method = await this.#findMethod()
    if (method === null)
      return `"${program} -v" and "${program} --signum" do not say how it can be asked; set keepalived.program in agent.yaml to the program that runs`
    const file = this.#fileOf(method)
    return dumpHindrance(file, pid) ?? `${file} was not written within ${dumpDeadlineMs} ms`
  }

  #fileOf({ kind }: Method): string {
    return kind === 'json' ? this.#options.dumpFile : this.#options.statsFile
  }

  async #take(pid: number): Promise<InstanceSnapshot[] | null> {
    const method = await this.#findMethod()
    if (method === null) return null
    const file = this.#fileOf(method)
    const old = setAside(file)
    try {
      process.kill(pid, method.signal)
    } catch {
      return null
    }
    const parse = method.kind === 'json' ? parseDump : parseStats
    const deadlineMs = this.#nowMs() + dumpDeadlineMs
    while (this.#nowMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, pollMs))
      const snapshot = readNew(file, old, parse)
      if (snapshot !== null) return snapshot
    }
    return null
  }

  /**
   * keepalived is asked only for what it was built with: a real-time signal that it does not handle ends it. A program
   * that did not answer, because the host was busy or the package is being replaced, is asked again.
   */
  async #findMethod(): Promise<Method | null> {
    this.#method ??= findMethod(this.#options.program)
    const method = await this.#method
    if (method === null) this.#method = null
    return method
  }
}

async function findMethod(program: string): Promise<Method | null> {
  const { stdout, stderr, error } = await runCommand([program, '-v'], { timeoutMs: askTimeoutMs })
  if (error !== null) return null
  const built = /^Config options:(.*)$/m.exec(`${stdout}\n${stderr}`)?.[1] ?? ''
  const kind = built.trim().split(/\s+/).includes('JSON') ? 'json' : 'stats'
  const asked = await runCommand([program, `--signum=${kind === 'json' ? 'JSON' : 'STATS'}`], {
    timeoutMs: askTimeoutMs,
  })
  const signal = Number(asked.stdout.trim())
  if (asked.error !== null || !Number.isSafeInteger(signal) || signal < 1 || signal > 64) return null
  return { kind, signal }
}

/**
 * Removes the old file before the signal. @returns the stamp of what is still there, which is not the answer; null:
 * nothing
 */
function setAside(file: string): string | null {
  try {
    unlinkSync(file)
  } catch {
    // It did not exist, or this user may not remove it. Then its stamp tells whether it is new.
  }
  return stamp(file)
}

function stamp(file: string): string | null {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? null : `${stat.ino}/${stat.size}/${stat.mtimeNs}`
}

function readNew<T>(file: string, old: string | null, parse: (text: string) => T): T | null {
  try {
    const stat = statSync(file, { throwIfNoEntry: false })
    // The folder is /tmp: only root's file, or our own, is keepalived's.
    if (stat === undefined || (stat.uid !== 0 && stat.uid !== process.getuid?.())) return null
    if (stamp(file) === old) return null
    return parse(readFileSync(file, 'utf8'))
  } catch {
    // keepalived renames the file into place before it is written, so it is not complete yet.
    return null
  }
}
