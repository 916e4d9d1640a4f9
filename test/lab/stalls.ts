/**
 * When the machine under the labs made everybody wait: it stood still, or had no processor even for a program that must be
 * in time. A process with the priority of keepalived and the daemons finds out, because a lab sees only the consequences.
 */
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promptly } from './namespace-host.ts'
import { type Span } from './vip-ownership.ts'

const program = fileURLToPath(new URL('programs/stall-watch.mjs', import.meta.url))

export interface Stall {
  readonly endMs: number
  readonly lateMs: number
}

/** @returns null for any other line */
export function parseStallLine(line: string): Stall | null {
  const [, end, late] = /^(\d+) (\d+)$/.exec(line) ?? []
  return end === undefined || late === undefined ? null : { endMs: Number(end), lateMs: Number(late) }
}

/** @returns 0 where there was none */
export function longestStallMs(stalls: readonly Stall[], { fromMs, toMs }: Span): number {
  const within = stalls.filter(({ endMs, lateMs }) => endMs >= fromMs && endMs - lateMs <= toMs)
  return Math.max(0, ...within.map(({ lateMs }) => lateMs))
}

let seen: Stall[] | null = null

/** Those since the first call. One watch serves all labs of this process, and ends with it. */
export function watchStalls(): readonly Stall[] {
  if (seen !== null) return seen
  const stalls: Stall[] = []
  seen = stalls
  // Niceness counts only within a session, so it has one of its own.
  const script = `${promptly}; exec "$0" "$1"`
  const child = spawn('setsid', ['--wait', 'sh', '-c', script, process.execPath, program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  createInterface(child.stdout).on('line', (line) => {
    const stall = parseStallLine(line)
    if (stall !== null) stalls.push(stall)
  })
  child.unref()
  // Pipes of a child are sockets here.
  for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe.unref()
  return stalls
}
