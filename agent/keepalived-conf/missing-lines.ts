/**
 * Which of the product's own lines a keepalived.conf lacks, or has in a way that does not work.
 * docs/operating/setup.md has them as they should be; `witness-agent setup` adds them.
 */
import { basename, join, normalize } from 'node:path'
import { all, at, last, type Statement } from './statements.ts'
import type { Place } from './lines.ts'

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
    ...missingFifoLines(path, globals, join(runDir, 'notify.fifo')),
    ...instances.flatMap((instance) => [
      ...missingBarLines(root, instance, join(runDir, `${instance.words[1] ?? ''}.bar`)),
      ...missingCheckLines(root, globals, instance),
    ]),
  ]
}

function missingFifoLines(path: string, globals: Statement[], fifo: string): MissingLine[] {
  const missing = { part: 'fifo', instance: null, defined: null } as const
  /* keepalived keeps the first one. */
  const line = all(globals, 'vrrp_notify_fifo')[0]
  if (line === undefined) {
    const text = `${path}: vrrp_notify_fifo is missing; add "vrrp_notify_fifo ${fifo}" to global_defs`
    return [{ ...missing, kind: 'absent', text }]
  }
  if (isPath(line.words[1], fifo)) return []
  const text = `${at(line)}: vrrp_notify_fifo is ${line.words[1] ?? 'empty'}, but the agent reads ${fifo}; set it to that`
  return [{ ...missing, kind: 'wrong', text }]
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
    if (weightOf(use, definition, 1) === 0) return []
    const text = `${at(use)}: ${name}: track_file ${use.words[0] ?? ''} needs "weight 0" (keepalived's default is 1): otherwise the bar changes the priority instead of putting the instance into FAULT`
    return [{ ...missing, kind: 'wrong', text }]
  }
  const defined = definedBefore(definitions, instance)
  const text = `${at(instance)}: ${name}: there is no track_file for ${bar}, so the agent cannot bar this instance. Add "vrrp_track_file bar_${name} { file ${bar} weight 0 }", each setting on a line of its own, and "track_file { bar_${name} }" in the instance`
  return [{ ...missing, kind: 'absent', defined, text }]
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
      script.order > use.order ? [definedTooLate(use, script)] : checkSettings(globals, { name, use, script })
    return texts.map((text) => ({ ...missing, kind: 'wrong', text }))
  }
  const text = `${at(instance)}: ${name}: there is no track_script that runs "witness-check ${name}", so nothing guards the VIP while the agent is dead. Add a vrrp_script with interval 1, timeout 1, fall 1, rise 1 and name it in track_script`
  return [{ ...missing, kind: 'absent', defined: definedBefore(checks, instance), text }]
}

/** The program of the check that keepalived runs; null: it runs none. */
export function checkProgramIn(root: Statement[]): string | null {
  return all(root, 'vrrp_script').flatMap((script) => checkCommand(script))[0] ?? null
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

function checkSettings(
  globals: Statement[],
  { name, use, script }: { name: string; use: Statement; script: Statement },
): string[] {
  const warnings: string[] = []
  const warn = (place: Place, what: string) => warnings.push(`${at(place)}: ${name}: ${what}`)
  if (weightOf(use, script, 0) !== 0)
    warn(
      use,
      'the check needs weight 0; with any other weight it changes the priority instead of putting the instance into FAULT',
    )
  for (const keyword of ['interval', 'timeout', 'fall', 'rise']) {
    const line = last(script.block, keyword)
    if (line !== undefined && Number(line.words[1]) !== 1) warn(line, `the check needs "${keyword} 1"`)
  }
  const user = last(script.block, 'user') ?? last(globals, 'script_user')
  if (user?.words[1] !== 'root') {
    warn(
      user ?? script,
      'the check must run as root to read the private key of this node; add "user root" to this vrrp_script, or "script_user root" to global_defs',
    )
  }
  return warnings
}
