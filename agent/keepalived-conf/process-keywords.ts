/**
 * What keepalived.conf says of keepalived's own processes: where their pid files are, and under which names they run.
 * Read from main.c and global_parser.c of keepalived 2.2.7 to 2.4.3.
 */
import { all, defaultConfigId, last, readStatements, type Statement } from './statements.ts'

export interface ProcessKeywords {
  /** `use_pid_dir`, `net_namespace` or `instance` move the pid files. Null: they are where they usually are. */
  readonly moved: { readonly pidFile: string; readonly vrrpPidFiles: readonly string[] } | null
  readonly names: {
    readonly parent: string | null
    readonly vrrp: string | null
    /** Those of the children that do not speak VRRP. */
    readonly others: readonly string[]
  }
}

const pidFolder = '/run/keepalived'

/** The kernel keeps this much of a process's name. */
const longestName = 15

/** A configuration that cannot be read says nothing; those who need its instances report it. */
export function readProcessKeywords(path: string, configId: string | null): ProcessKeywords {
  const root = statementsOf(path, configId ?? defaultConfigId())
  return { moved: movedTo(root), names: namesIn(root) }
}

function statementsOf(path: string, configId: string): Statement[] {
  try {
    return readStatements(path, configId).root
  } catch {
    return []
  }
}

function movedTo(root: Statement[]): ProcessKeywords['moved'] {
  const instance = last(root, 'instance')?.words[1]
  if (instance === undefined && last(root, 'use_pid_dir', 'net_namespace') === undefined) return null
  const suffix = instance === undefined ? '' : `_${instance}`
  return {
    pidFile: `${pidFolder}/keepalived${suffix}.pid`,
    vrrpPidFiles: [`${pidFolder}/vrrp${suffix}.pid`],
  }
}

function namesIn(root: Statement[]): ProcessKeywords['names'] {
  const globals = all(root, 'global_defs').flatMap(({ block }) => block ?? [])
  const named = (...keywords: string[]): string | null =>
    last(globals, ...keywords)?.words[1]?.slice(0, longestName) ?? null
  const others = [named('checker_process_name', 'lvs_process_name'), named('bfd_process_name')]
  return {
    parent: named('process_name'),
    vrrp: named('vrrp_process_name'),
    others: ['keepalived_lvs', 'keepalived_bfd', ...others.filter((name) => name !== null)],
  }
}
