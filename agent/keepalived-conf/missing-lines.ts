/**
 * Which of the product's own lines a keepalived.conf lacks, or has in a way that does not work.
 * docs/operating/setup.md has them as they should be; `witness-agent setup` adds them.
 */
import { basename, dirname, join, normalize } from 'node:path'
import { all, at, last, type Statement } from './statements.ts'
import type { Place } from './lines.ts'
import { checkSettings, fifoPath, type FifoKeyword } from './product-lines.ts'

export interface MissingLine {
  readonly part: 'fifo' | 'bar' | 'check'
  /** Null: it concerns all of them. */
  readonly instance: string | null
  /** `absent`: lines must be added. `wrong`: an existing line must be changed, which only the admin may do. */
  readonly kind: 'absent' | 'wrong'
  /** If absent: the name under which the tracker is already defined, so that it only has to be used. */
  readonly defined: string | null
  /** For the operator: place, what is wrong, what to do. */
  readonly text: string
}

interface Subject {
  readonly root: Statement[]
  readonly instances: Statement[]
  /** Where the agent's FIFO and bar files are. */
  readonly runDir: string
}

/** @param path the configuration's main file, for what is missing altogether */
export function missingLines(path: string, { root, instances, runDir }: Subject): MissingLine[] {
  const globals = all(root, 'global_defs').flatMap((defs) => defs.block ?? [])
  return [
    ...missingFifoLines(path, { root, globals }, fifoPath(runDir)),
    ...instances.flatMap((instance) => [
      ...missingBarLines(root, instance, join(runDir, `${instance.words[1] ?? ''}.bar`)),
      ...missingCheckLines(root, globals, instance),
    ]),
  ]
}

/** Where the agent's FIFO stands or can stand, given what the admin uses; null: both are taken. */
export function fifoKeyword(globals: readonly Statement[], runDir: string): FifoKeyword | null {
  const keywords = ['vrrp_notify_fifo', 'notify_fifo'] as const
  const lines = [...globals]
  const own = keywords.find((keyword) => isPath(all(lines, keyword)[0]?.words[1], fifoPath(runDir)))
  // keepalived starts the script of a FIFO with the FIFO as its argument, so it would read the agent's lines.
  return own ?? keywords.find((keyword) => all(lines, keyword, `${keyword}_script`).length === 0) ?? null
}

function missingFifoLines(
  path: string,
  { root, globals }: { root: Statement[]; globals: Statement[] },
  fifo: string,
): MissingLine[] {
  const missing = { part: 'fifo', instance: null, defined: null } as const
  const wrong = (text: string): MissingLine => ({ ...missing, kind: 'wrong', text })
  const keyword = fifoKeyword(globals, dirname(fifo))
  if (keyword === null) return [wrong(bothTaken(globals, fifo))]
  /* keepalived keeps the first one. */
  const line = all(globals, keyword)[0]
  if (line === undefined) {
    const theirs = all(globals, 'vrrp_notify_fifo', 'vrrp_notify_fifo_script')[0]
    const text =
      keyword === 'vrrp_notify_fifo'
        ? `${path}: vrrp_notify_fifo is missing; add "vrrp_notify_fifo ${fifo}" to global_defs`
        : `${theirs === undefined ? path : at(theirs)}: vrrp_notify_fifo is used by a program of yours, and the agent has no FIFO; add "notify_fifo ${fifo} root" to global_defs, which gets the same lines`
    return [{ ...missing, kind: 'absent', text }]
  }
  return [...fifoReaders(globals, fifo).map(wrong), ...defaultUserFaults(root, globals, line)]
}

/**
 * Programs that keepalived starts to read the agent's FIFO, in words, with the way out. A line goes to one reader only,
 * so the agent would miss that this node is MASTER.
 */
export function fifoReaders(globals: Statement[], fifo: string): string[] {
  return (['vrrp_notify_fifo', 'notify_fifo', 'lvs_notify_fifo'] as const).flatMap((keyword) => {
    const line = all(globals, keyword)[0]
    const script = all(globals, `${keyword}_script`)[0]
    if (line === undefined || script === undefined || !isPath(line.words[1], fifo)) return []
    const free = keyword === 'notify_fifo' ? 'vrrp_notify_fifo' : 'notify_fifo'
    return [
      `${at(script)}: ${keyword}_script starts a program that reads the agent's FIFO, so the agent does not see some changes of state, and two nodes can have the VIP. Give that program a FIFO of its own: move the agent's line (${at(line)}) to "${free} ${fifo} root", and name another file in ${keyword}`,
    ]
  })
}

/** There are two FIFOs for changes of state, and the admin uses both. */
function bothTaken(globals: Statement[], fifo: string): string {
  const [first, second] = (['vrrp_notify_fifo', 'notify_fifo'] as const).map(
    (keyword) => all(globals, keyword, `${keyword}_script`)[0],
  )
  if (first === undefined || second === undefined) throw new Error('one of the two FIFOs is free')
  return `${at(first)}: vrrp_notify_fifo is ${first.words[1] ?? 'empty'}, and notify_fifo (${at(second)}) is ${second.words[1] ?? 'empty'}, but the agent reads ${fifo}. keepalived has no third FIFO for changes of state, and two programs cannot share one. If the program behind notify_fifo needs only the lines of virtual servers, give it lvs_notify_fifo; if both need changes of state, let one of them use "notify" scripts. Then set the FIFO that is free to "${fifo} root"`
}

/**
 * keepalived decides on the default user of scripts at the first line that needs it. With enable_script_security still
 * set from before a reload, and without a user keepalived_script, that fails once and for all, and everything without
 * a user of its own is dropped (get_default_script_user() in lib/notify.c of 2.2.7).
 */
function defaultUserFaults(root: Statement[], globals: Statement[], line: Statement): MissingLine[] {
  if (line.words[2] !== undefined) return []
  const early = needsDefaultUserEarly(root, globals)
  if (early === null) return []
  const user = last(globals, 'script_user')
  const what =
    user === undefined
      ? 'no script_user is named'
      : `script_user is named only later, at ${at(user)}${early.order === line.order ? '' : `, after ${at(early)} needed it`}`
  return [
    {
      ...{ part: 'fifo', instance: null, defined: null, kind: 'wrong' },
      text: `${at(line)}: with enable_script_security, keepalived drops this FIFO and the check at a reload if the host has no user keepalived_script, because ${what}. Write " root" at the end of this line, and move script_user to the top of the first global_defs`,
    },
  ]
}

function needsDefaultUserEarly(root: Statement[], globals: Statement[]): Statement | null {
  return all(globals, 'enable_script_security').length === 0 ? null : beforeScriptUser(root, globals)
}

/** The first line that takes the default user of scripts before `script_user` names it; null: none. */
export function beforeScriptUser(root: Statement[], globals: Statement[]): Statement | null {
  const namedAt = Math.min(...all(globals, 'script_user').map(({ order }) => order))
  const fifos = all(globals, 'vrrp_notify_fifo', 'notify_fifo', 'lvs_notify_fifo').filter(
    ({ words }) => words[2] === undefined,
  )
  const scripts = all(root, 'vrrp_script').filter(({ block }) => last(block, 'user') === undefined)
  const early = [...fifos, ...scripts].filter(({ order }) => order < namedAt)
  return early.sort((one, other) => one.order - other.order)[0] ?? null
}

function isPath(word: string | undefined, path: string): boolean {
  return word !== undefined && normalize(word) === normalize(path)
}

/** The weight of the tracker in this instance: its own, or that of the definition; NaN if it is reversed. */
function weightOf(use: Statement, definition: Statement | undefined, byDefault: number): number {
  const words =
    use.words[1] === 'weight' ? use.words.slice(1) : (last(definition?.block ?? null, 'weight')?.words ?? [])
  if (words.includes('reverse')) return Number.NaN
  return words[1] === undefined ? byDefault : Number(words[1])
}

function uses(instance: Statement, ...keywords: string[]): Statement[] {
  return all(instance.block, ...keywords).flatMap((tracker) => tracker.block ?? [])
}

function missingBarLines(root: Statement[], instance: Statement, bar: string): MissingLine[] {
  const name = instance.words[1] ?? ''
  const missing = { part: 'bar', instance: name, defined: null } as const
  const definitions = all(root, 'track_file', 'vrrp_track_file').filter((definition) =>
    isPath(last(definition.block, 'file')?.words[1], bar),
  )
  for (const use of uses(instance, 'track_file', 'vrrp_track_file')) {
    const definition = definitions.find((candidate) => candidate.words[1] === use.words[0])
    if (definition === undefined) continue
    if (definition.order > use.order)
      return [{ ...missing, kind: 'wrong', text: definedTooLate(use, definition) }]
    const init = barInitFault(definition)
    if (init !== null) return [{ ...missing, kind: 'wrong', text: `${at(init)}: ${name}: ${barInitText}` }]
    if (weightOf(use, definition, 1) === 0) return []
    const text = `${at(use)}: ${name}: track_file ${use.words[0] ?? ''} needs "weight 0" (keepalived's default is 1): otherwise the bar changes the priority instead of putting the instance into FAULT`
    return [{ ...missing, kind: 'wrong', text }]
  }
  const defined = definedBefore(definitions, instance)
  const text = `${at(instance)}: ${name}: there is no track_file for ${bar}, so the agent cannot bar this instance. Add "vrrp_track_file bar_${name} { file ${bar} weight 0 }", each setting on a line of its own, and "track_file { bar_${name} }" in the instance`
  return [{ ...missing, kind: 'absent', defined, text }]
}

const barInitText =
  'keepalived writes a value of its own into the bar file at each start, so a node that is barred can become MASTER, or one that is free cannot; remove this line'

/** `init_file [VALUE] [overwrite]`: without "overwrite" keepalived only makes a missing file, and 0 bars nobody. */
function barInitFault(definition: Statement): Statement | null {
  const init = last(definition.block, 'init_file')
  if (init === undefined) return null
  const words = init.words.slice(1)
  const isHarmless = words.every((word) => Number(word) === 0)
  return isHarmless ? null : init
}

/** keepalived looks a name up while it reads its use. */
function definedBefore(definitions: Statement[], instance: Statement): string | null {
  return definitions.find((definition) => definition.order < instance.order)?.words[1] ?? null
}

function definedTooLate(use: Statement, definition: Statement): string {
  const name = use.words[0] ?? ''
  return `${at(use)}: keepalived ignores ${name} here, because it is defined only later, at ${at(definition)}; move the definition above the vrrp_instance`
}

function missingCheckLines(root: Statement[], globals: Statement[], instance: Statement): MissingLine[] {
  const name = instance.words[1] ?? ''
  const missing = { part: 'check', instance: name, defined: null } as const
  const checks = all(root, 'vrrp_script').filter((script) => runsCheck(script, name))
  for (const use of uses(instance, 'track_script')) {
    const script = checks.find((candidate) => candidate.words[1] === use.words[0])
    if (script === undefined) continue
    const texts =
      script.order > use.order
        ? [definedTooLate(use, script)]
        : faultySettings({ root, globals }, { name, use, script })
    return texts.map((text) => ({ ...missing, kind: 'wrong', text }))
  }
  const text = `${at(instance)}: ${name}: there is no track_script that runs "witness-check ${name}", so nothing guards the VIP while the agent is dead. Add a vrrp_script with ${Object.entries(
    checkSettings,
  )
    .map(([keyword, value]) => `${keyword} ${value}`)
    .join(', ')} and name it in track_script`
  return [{ ...missing, kind: 'absent', defined: definedBefore(checks, instance), text }]
}

/** The program of the check that keepalived runs; null: it runs none. */
export function checkProgramIn(root: Statement[]): string | null {
  return all(root, 'vrrp_script').flatMap((script) => checkCommand(script))[0] ?? null
}

/** Whether this `vrrp_script` is the product's check, of whatever instance. */
export function isCheck(script: Statement): boolean {
  return script.words[0] === 'vrrp_script' && checkCommand(script).length > 0
}

function runsCheck(script: Statement, name: string): boolean {
  return checkCommand(script).slice(1).includes(name)
}

/** The path and the arguments of the check; empty if the script is another one. */
function checkCommand(script: Statement): string[] {
  const words = (last(script.block, 'script')?.words.slice(1) ?? []).join(' ').split(/[\s'"]+/)
  const program = words.findIndex((word) => basename(word) === 'witness-check')
  return program < 0 ? [] : words.slice(program)
}

function faultySettings(
  { root, globals }: { root: Statement[]; globals: Statement[] },
  { name, use, script }: { name: string; use: Statement; script: Statement },
): string[] {
  const warnings: string[] = []
  const warn = (place: Place, what: string) => warnings.push(`${at(place)}: ${name}: ${what}`)
  if (weightOf(use, script, 0) !== 0)
    warn(
      use,
      'the check needs weight 0; with any other weight it changes the priority instead of putting the instance into FAULT',
    )
  for (const [keyword, value] of Object.entries(checkSettings)) {
    const line = last(script.block, keyword)
    // Without a line keepalived takes 1, and the interval for the timeout.
    if (Number(line?.words[1] ?? 1) !== value) warn(line ?? script, `the check needs "${keyword} ${value}"`)
  }
  const user = last(script.block, 'user') ?? last(globals, 'script_user')
  if (user?.words[1] !== 'root') {
    warn(
      user ?? script,
      'the check must run as root to read the private key of this node; add "user root" to this vrrp_script, or "script_user root" to global_defs',
    )
  }
  const early = needsDefaultUserEarly(root, globals)
  if (user?.words[1] === 'root' && last(script.block, 'user') === undefined && early !== null)
    warn(
      script,
      `keepalived drops this check at a reload if the host has no user keepalived_script, because ${at(early)} needs the user of scripts before script_user (${at(user)}) names it; add "user root" to this vrrp_script`,
    )
  return warnings
}
