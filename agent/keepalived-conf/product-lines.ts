/**
 * The product's own lines in keepalived.conf. This is their only writer: `witness-agent setup` adds them, messages
 * print them, and the lab's configurations are made of them. deploy/examples/keepalived.conf is compared with them.
 */
import { join } from 'node:path'

/** keepalived writes each change of an instance to both, so either will do. */
export type FifoKeyword = 'vrrp_notify_fifo' | 'notify_fifo'

export function fifoPath(runDir: string): string {
  return join(runDir, 'notify.fifo')
}

/** @param namesUser whether the line names its user, because keepalived's default user of scripts is not root */
export function fifoLine(keyword: FifoKeyword, { runDir, namesUser }: FifoOptions): string {
  return `${keyword} ${word(fifoPath(runDir))}${namesUser ? ' root' : ''}`
}

export interface FifoOptions {
  readonly runDir: string
  readonly namesUser: boolean
}

/** It stands above the FIFO, because keepalived looks the user up when it reads the FIFO. */
export const scriptUser = 'script_user root'
export const scriptSecurity = 'enable_script_security'
/** keepalived then writes each change of an instance's priority into the FIFO, not only changes of state. */
export const priorityChanges = 'vrrp_notify_priority_changes true'
/** Older ones do not know the word. */
export const priorityChangesSince = '2.0.16'

/** @param unit one level of indentation */
export function barLines(name: string, { runDir, unit }: { runDir: string; unit: string }): string[] {
  // The old name is the one that every keepalived knows; the new one came with 2.1.
  return [
    `vrrp_track_file bar_${name} {`,
    `${unit}file ${word(join(runDir, `${name}.bar`))}`,
    `${unit}weight 0`,
    '}',
  ]
}

export interface CheckOptions {
  readonly checkProgram: string
  /** Null: where the check looks by itself. */
  readonly stateDir: string | null
  readonly namesUser: boolean
  readonly unit: string
}

/**
 * Of the vrrp_script that runs the check, in seconds and runs. One run that a busy host delays by more than its interval
 * must not cost a VIP that works, so keepalived gives a run up only after two seconds (decision 73).
 */
export const checkSettings = { interval: 1, timeout: 2, fall: 1, rise: 1 } as const

export function checkLines(name: string, options: CheckOptions): string[] {
  const { checkProgram, stateDir, namesUser, unit } = options
  const command = [checkProgram, ...(stateDir === null ? [] : ['--state-dir', stateDir]), name].join(' ')
  return [
    `vrrp_script witness_${name} {`,
    `${unit}script "${command}"`,
    ...Object.entries(checkSettings).map(([keyword, value]) => `${unit}${keyword} ${value}`),
    ...(namesUser ? [`${unit}user root`] : []),
    '}',
  ]
}

/** What a message prints for an admin who has to add the lines: they work whatever user scripts have by default. */
export function linesByHand(
  names: readonly string[],
  options: Omit<CheckOptions, 'namesUser' | 'unit'> & { runDir: string; fifo: FifoKeyword | null },
): string {
  const { fifo, runDir } = options
  const how = { ...options, namesUser: true, unit: '    ' }
  const rows = [
    ...(fifo === null
      ? []
      : ['# in global_defs, above every vrrp_instance', fifoLine(fifo, { runDir, namesUser: true })]),
    ...names.flatMap((name) => [
      `# above vrrp_instance ${name}`,
      ...barLines(name, how),
      ...checkLines(name, how),
      `# inside vrrp_instance ${name}`,
      ...['track_file {', `    bar_${name}`, '}'],
      ...['track_script {', `    witness_${name}`, '}'],
    ]),
  ]
  return rows.map((row) => `  ${row}`).join('\n')
}

/** keepalived splits at blanks, except inside double quotes. */
function word(path: string): string {
  return /[\s#!{}]/.test(path) ? `"${path}"` : path
}
