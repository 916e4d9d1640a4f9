/** On which machine and when it was measured. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { tryCommand } from '../lab/command.ts'

export interface Setting {
  /** RFC 3339. */
  readonly at: string
  readonly product: string
  readonly keepalived: string
  readonly node: string
  readonly shell: string
  readonly kernel: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  /** The load average of one minute at the beginning, because a busy machine falsifies the figures. */
  readonly load: number
}

const root = fileURLToPath(new URL('../..', import.meta.url))

export async function readSetting(): Promise<Setting> {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(`${root}/package.json`, 'utf8')))
  const commit = await firstLine('git', ['-C', root, 'describe', '--always', '--dirty'])
  const shell = await firstLine('readlink', ['-f', '/bin/sh'])
  return {
    at: new Date().toISOString(),
    product: commit === null ? version : `${version} (${commit})`,
    keepalived: (await firstLine('keepalived', ['-v']))?.replace(/^Keepalived /, '') ?? 'unknown',
    node: process.version,
    shell: shell ?? '/bin/sh',
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0] ?? 0,
  }
}

export function settingText(setting: Setting, command: string): string {
  const { at, product, keepalived, node, shell, kernel, cpu, cores, memoryGiB, load } = setting
  return (
    `Measured ${at.slice(0, 16).replace('T', ' ')} UTC with \`${command}\` on ${cpu}, ${cores} cores, ` +
    `${memoryGiB} GiB, Linux ${kernel}, load ${load.toFixed(1)} before; keepalived-witness ${product}, ` +
    `keepalived ${keepalived}, Node.js ${node}, /bin/sh is ${shell}.`
  )
}

/** keepalived prints its version to stderr. */
async function firstLine(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr, code } = await tryCommand(program, args)
    return code === 0 ? ((stdout.trim() || stderr.trim()).split('\n')[0] ?? null) : null
  } catch {
    return null
  }
}
