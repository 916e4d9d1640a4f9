/** What the running keepalived was started with: its file (-f) and its configuration id (-i). */
import type { KeepalivedPlaces } from './places.ts'
import { lookAtKeepalived } from './process.ts'
import { commandLineOf, isInContainer } from './process-table.ts'
import { usualConfig } from './usual-paths.ts'

/** Null: not given. */
export interface RunningOptions {
  readonly config: string | null
  readonly configId: string | null
}

/** Which file is read, and under which configuration id; null: the host's short name. */
export interface Reading {
  readonly config: string
  readonly configId: string | null
}

/** Null: no process of keepalived is found. */
export function runningOptions(places: KeepalivedPlaces, proc = '/proc'): RunningOptions | null {
  const { parentPid, vrrpPid } = lookAtKeepalived(places, proc)
  const pid = parentPid ?? vrrpPid
  if (pid === null) return null
  const options = optionsIn(commandLineOf(proc, pid))
  // The file of a container has another name here.
  return isInContainer(proc, pid) ? { ...options, config: null } : options
}

/** @param words the command line of keepalived */
export function optionsIn(words: readonly string[]): RunningOptions {
  return { config: valueOf(words, 'f', 'use-file'), configId: valueOf(words, 'i', 'config-id') }
}

/** As getopt_long(3) reads it; the last one counts. The letters before it in the same word take no value. */
function valueOf(words: readonly string[], letter: string, name: string): string | null {
  const short = new RegExp(`^-[PCBVIRnlDdGX]*${letter}(.*)$`, 's')
  let value: string | null = null
  for (const [index, word] of words.entries()) {
    if (index === 0) continue
    const attached = word.startsWith(`--${name}=`) ? word.slice(name.length + 3) : short.exec(word)?.[1]
    if (word === `--${name}` || attached === '') value = words[index + 1] ?? value
    else if (attached !== undefined) value = attached
  }
  return value
}

/**
 * agent.yaml counts where it says something, then the command line of keepalived. While no keepalived is found, the
 * last reading stays.
 */
export function readingOf(
  said: Reading,
  running: RunningOptions | null,
  last: Reading = said,
): { readonly reading: Reading; readonly contradictions: readonly string[] } {
  if (running === null) return { reading: last, contradictions: [] }
  // The default that is written in agent.yaml cannot be told from one that is not.
  const isFileSaid = said.config !== usualConfig
  const contradictions = [
    ...(isFileSaid && running.config !== null && running.config !== said.config
      ? [
          `keepalived runs with the file ${running.config} (-f), and keepalived.config in agent.yaml names ${said.config}`,
        ]
      : []),
    ...(said.configId !== null && running.configId !== null && running.configId !== said.configId
      ? [
          `keepalived runs with the configuration id ${running.configId} (-i), and keepalived.configId in agent.yaml is ${said.configId}`,
        ]
      : []),
  ]
  // A relative name depends on the folder in which keepalived was started.
  const runningFile = running.config?.startsWith('/') === true ? running.config : null
  return {
    reading: {
      config: isFileSaid ? said.config : (runningFile ?? said.config),
      configId: said.configId ?? running.configId,
    },
    contradictions,
  }
}
