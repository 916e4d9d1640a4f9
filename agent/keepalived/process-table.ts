/**
 * The search for keepalived in the whole process table, for hosts on which no known pid file names it. It reads only
 * what every user may read (`stat`, `cmdline`, `status` and `net/` in /proc/PID, proc(5)): the packaged unit has no
 * CAP_SYS_PTRACE, so the program file, the open files and the namespaces of other processes are closed to it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { ProcessNames } from './places.ts'
import { usualConfig } from './usual-paths.ts'

export interface SearchOptions {
  readonly names: ProcessNames
  /** keepalived's configuration file, as agent.yaml names it. */
  readonly config: string
  /** Boot clock: a keepalived that started earlier is another one. Null: none is known. */
  readonly notBeforeMs: number | null
  readonly proc: string
}

export type SearchResult =
  | { readonly kind: 'found'; readonly parentPid: number; readonly vrrpPid: number }
  /** The whole process table was read, and no keepalived of this network namespace is in it. */
  | { readonly kind: 'none' }
  /** The same, but for a keepalived that is another one. */
  | { readonly kind: 'others'; readonly why: string }
  /** None is in this network namespace, and one with the same configuration file is in another. */
  | { readonly kind: 'elsewhere'; readonly why: string }
  | { readonly kind: 'unclear'; readonly why: string }

/** One process as its `stat` file shows it. */
export interface StatLine {
  readonly comm: string
  readonly state: string
  readonly parentPid: number
  readonly startedAtMs: number
}

interface Listed extends StatLine {
  readonly pid: number
}

/** /proc counts in USER_HZ, which is 100 on every Linux that runs Node.js. */
const millisecondsPerTick = 10

/** keepalived reads one of these where its command line names no file. */
const defaultConfigs = [usualConfig, '/usr/local/etc/keepalived/keepalived.conf']

/** Raw sockets show their IP protocol in the place of a port: VRRP, and AH, in which keepalived can wrap it. */
const vrrpProtocols = ['0070', '0033']

export function searchKeepalived(options: SearchOptions): SearchResult {
  const { names, notBeforeMs, proc } = options
  const pids = pidsIn(proc)
  if (!pids.includes(1) || readStatLine(proc, 1) === null)
    return { kind: 'unclear', why: 'the process table hides the processes of others (hidepid)' }
  const listed = pids.flatMap((pid): Listed[] => {
    const line = readStatLine(proc, pid)
    return line !== null && isLive(line) && isKeepalivedName(line.comm, names) ? [{ pid, ...line }] : []
  })
  const own = networkOf(proc, 'self')
  const here = listed.filter(({ pid }) => networkOf(proc, pid) === own)
  const isHere = (pid: number): boolean => here.some((each) => each.pid === pid)
  const parents = here.filter(({ parentPid }) => !isHere(parentPid))
  const childrenOf = (parent: Listed): Listed[] => here.filter(({ parentPid }) => parentPid === parent.pid)
  // `keepalived -t` or `--signum` has no children.
  const families = parents
    .map((parent) => ({ parent, children: childrenOf(parent) }))
    .filter(({ children }) => children.length > 0)
  if (families.length === 0) return elsewhereIn(listed, options)
  const [family, ...rest] = families.filter(
    ({ parent }) =>
      (notBeforeMs === null || parent.startedAtMs >= notBeforeMs) && mayRead(parent.pid, options),
  )
  if (family === undefined) return { kind: 'others', why: otherConfig(families, options) }
  if (rest.length > 0)
    return {
      kind: 'unclear',
      why: `several keepalived run in this network namespace (processes ${families.map(({ parent }) => parent.pid).join(', ')})`,
    }
  const vrrp = vrrpAmong(family.children, names)
  return vrrp === null
    ? {
        kind: 'unclear',
        why: `process ${family.parent.pid} is keepalived, but which of its children (${family.children.map(({ pid }) => pid).join(', ')}) speaks VRRP is not visible`,
      }
    : { kind: 'found', parentPid: family.parent.pid, vrrpPid: vrrp.pid }
}

/** `keepalived -s NAME` and `net_namespace` put all processes of keepalived into a network namespace of their own. */
function elsewhereIn(listed: readonly Listed[], options: SearchOptions): SearchResult {
  const { proc } = options
  const own = networkOf(proc, 'self')
  const away = listed.find(({ pid }) => {
    const other = networkOf(proc, pid)
    const hasChildren = listed.some(({ parentPid }) => parentPid === pid)
    // What runs in a container reads another file, even if it has the same name.
    return (
      hasChildren && other !== null && other !== own && !isInContainer(proc, pid) && mayRead(pid, options)
    )
  })
  return away === undefined
    ? { kind: 'none' }
    : { kind: 'elsewhere', why: elsewhereText(`process ${away.pid}`) }
}

/** @param which process of keepalived */
export function elsewhereText(which: string): string {
  return `${which} is in another network namespace than this agent`
}

/** Whether a VRRP socket is open in this network namespace; null: that cannot be read. */
export function hasVrrpSocket(proc: string): boolean | null {
  const lists = ['raw', 'raw6'].map((name) => readOrNull(`${proc}/self/net/${name}`))
  const texts = lists.filter((text) => text !== null)
  const found = texts.some((text) =>
    text
      .split('\n')
      .slice(1)
      .some((row) => vrrpProtocols.includes(row.trim().split(/\s+/)[1]?.split(':').at(-1) ?? '')),
  )
  // A kernel without IPv6 has no raw6.
  return found ? true : lists[0] === null ? null : false
}

/** Null: there is no such process, or it is hidden. */
export function readStatLine(proc: string, pid: number): StatLine | null {
  const text = readOrNull(`${proc}/${pid}/stat`)
  return text === null ? null : parseStatLine(text)
}

/** proc(5): "pid (comm) state ppid …", start time is field 22. The comm may hold spaces and brackets itself. */
export function parseStatLine(text: string): StatLine {
  const comm = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 20)
  return {
    comm,
    state: fields[0] ?? '',
    parentPid: Number(fields[1]),
    startedAtMs: Number(fields[19]) * millisecondsPerTick,
  }
}

/** A zombie is gone: it holds nothing, and only waits for its parent. */
export function isLive({ state }: StatLine): boolean {
  return state !== 'Z' && state !== 'X' && state !== 'x'
}

/** keepalived's `process_name` renames the process, but not the words with which it was started. */
export function isKeepalived(proc: string, pid: number, comm: string, names: ProcessNames): boolean {
  if (isKeepalivedName(comm, names)) return true
  const [program] = commandLineOf(proc, pid)
  return program !== undefined && basename(program).startsWith('keepalived')
}

function isKeepalivedName(comm: string, names: ProcessNames): boolean {
  return comm.startsWith('keepalived') || comm === names.parent || comm === names.vrrp
}

function vrrpAmong(children: readonly Listed[], names: ProcessNames): Listed | null {
  const named = children.find(({ comm }) => comm === (names.vrrp ?? 'keepalived_vrrp'))
  if (named !== undefined) return named
  const [only, ...rest] = children.filter(({ comm }) => !names.others.includes(comm))
  return only === undefined || rest.length > 0 ? null : only
}

/** False: it runs in the same container or host as this agent, with another configuration. */
function mayRead(pid: number, { config, proc }: SearchOptions): boolean {
  if (isInContainer(proc, pid)) return true
  const file = configOf(commandLineOf(proc, pid))
  return file === null ? defaultConfigs.includes(config) : file === config
}

/** Its files have other names there than here. */
export function isInContainer(proc: string, pid: number): boolean {
  const line = readOrNull(`${proc}/${pid}/status`)
    ?.split('\n')
    .find((text) => text.startsWith('NSpid:'))
  return line !== undefined && line.trim().split(/\s+/).length > 2
}

/** The file of `-f`; null: none is named. */
function configOf(words: readonly string[]): string | null {
  for (const [index, word] of words.entries()) {
    if (word === '-f' || word === '--use-file') return words[index + 1] ?? null
    if (word.startsWith('--use-file=')) return word.slice('--use-file='.length)
    if (/^-f./.test(word)) return word.slice(2)
  }
  return null
}

function otherConfig(
  families: readonly { readonly parent: Listed }[],
  { config, proc }: SearchOptions,
): string {
  const described = families.map(({ parent: { pid } }) => {
    const file = configOf(commandLineOf(proc, pid))
    return `process ${pid} with ${file ?? 'the default file'}`
  })
  return `keepalived runs with another configuration (${described.join(', ')}) than keepalived.config in agent.yaml names (${config})`
}

/** Which network namespace a process is in. The namespaces differ in the inodes of what they show in `net/`. */
function networkOf(proc: string, pid: number | 'self'): number | null {
  try {
    return statSync(`${proc}/${pid}/net/dev`).ino
  } catch {
    return null
  }
}

export function isInThisNetwork(proc: string, pid: number): boolean {
  const own = networkOf(proc, 'self')
  const other = networkOf(proc, pid)
  return own === null || other === null || own === other
}

export function commandLineOf(proc: string, pid: number): string[] {
  return (readOrNull(`${proc}/${pid}/cmdline`) ?? '').split('\0').filter((word) => word !== '')
}

function pidsIn(proc: string): number[] {
  try {
    return readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
