/** Where keepalived's processes are looked for. */
import { dirname, join } from 'node:path'
import { usualPidFile } from './usual-paths.ts'

export interface KeepalivedPlaces {
  /** Where the parent's pid is. */
  readonly pidFile: string
  /**
   * Where the VRRP child's pid may be; the name differs between versions. The first file that names a live keepalived
   * counts.
   */
  readonly vrrpPidFiles: readonly string[]
  /** The names that keepalived.conf gives to keepalived's own processes. */
  readonly names: ProcessNames
  /**
   * The configuration file by which the right keepalived is told from another one in the process table. Null: the
   * operator has named the pid file of the VRRP child, so the process table is not searched.
   */
  readonly searchFor: string | null
}

export interface ProcessNames {
  readonly parent: string | null
  readonly vrrp: string | null
  /** Those of the children that do not speak VRRP. */
  readonly others: readonly string[]
}

/** @param keywords what keepalived.conf says; it counts where agent.yaml says nothing */
export function keepalivedPlaces(
  options: { readonly config: string; readonly pidFile: string; readonly vrrpPidFile: string | null },
  keywords: {
    readonly moved: { readonly pidFile: string; readonly vrrpPidFiles: readonly string[] } | null
    readonly names: ProcessNames
  },
): KeepalivedPlaces {
  const { config, vrrpPidFile } = options
  const moved = options.pidFile === usualPidFile ? keywords.moved : null
  const pidFile = moved?.pidFile ?? options.pidFile
  return {
    pidFile,
    vrrpPidFiles: vrrpPidFile === null ? (moved?.vrrpPidFiles ?? usualVrrpPidFiles(pidFile)) : [vrrpPidFile],
    names: keywords.names,
    searchFor: vrrpPidFile === null ? config : null,
  }
}

/** keepalived's usual names (2.2: `vrrp.pid`, later: `keepalived_vrrp.pid`), beside the parent's. */
export function usualVrrpPidFiles(pidFile: string): string[] {
  const folder = dirname(pidFile)
  return [join(folder, 'vrrp.pid'), join(folder, 'keepalived_vrrp.pid')]
}
