import {
  barLines,
  checkLines,
  fifoLine,
  scriptSecurity,
  scriptUser,
} from '../../agent/keepalived-conf/product-lines.ts'
import { instance, vip, type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'

/** lb01 is the one that keepalived prefers. */
export const priorities: Readonly<Record<LabNode, number>> = { lb01: 150, lb02: 100 }

/** advert_int; keepalived sends the first advert when it takes the VIP. */
export const advertIntervalMs = 1000

/** Where the agent and keepalived meet; as on a real host. */
export const runFolder = '/run/keepalived-witness'
/** Root-owned in every component, as `enable_script_security` wants it. */
export const checkPath = '/run/libexec/witness-check'

/** What the admin of the pair wrote into keepalived.conf, on both nodes alike where it is not said. */
export interface PairConf {
  readonly priorities: Readonly<Record<LabNode, number>>
  readonly names: Readonly<Record<LabNode, string>>
  readonly preempt: boolean
  /** Rows of `virtual_ipaddress`. */
  readonly addresses: readonly string[]
  /** Rows before the instance: scripts, files and processes to track. */
  readonly trackers: readonly string[]
  /** Names of `vrrp_script`s in `track_script`. */
  readonly scripts: readonly string[]
  /** Further rows of the instance. */
  readonly rows: readonly string[]
  /** Further instances, with the same priorities. */
  readonly others: readonly OtherInstance[]
}

export interface OtherInstance {
  readonly name: string
  readonly routerId: number
  readonly addresses: readonly string[]
  readonly rows: readonly string[]
}

/** The pair of most guides. */
export const everydayPair: PairConf = {
  priorities,
  names: { lb01: instance, lb02: instance },
  preempt: false,
  addresses: [`${vip}/24`],
  trackers: [],
  scripts: [],
  rows: [],
  others: [],
}

/** What the admin has before installing the witness: keepalived alone. */
export function configBefore(node: LabNode): string {
  return keepalivedConfig({ node, arbiter: 'none', pair: everydayPair, tracked: false, stateFolder: '' })
}

/** keepalived.conf of a node: with the witness, the lines that an admin adds; without, keepalived alone. */
export function keepalivedConfig(options: {
  node: LabNode
  arbiter: Arbiter
  pair: PairConf
  /** Without `track_file` and `track_script` in the instance, the bar and the check have no effect. */
  tracked: boolean
  stateFolder: string
}): string {
  const { node, pair, tracked, stateFolder } = options
  const witness = options.arbiter === 'witness'
  const globals = witness
    ? [scriptUser, scriptSecurity, fifoLine('vrrp_notify_fifo', { runDir: runFolder, namesUser: false })].map(
        (line) => `    ${line}`,
      )
    : []
  const own = { name: pair.names[node], routerId: 51, addresses: pair.addresses, rows: pair.rows }
  const instances = [own, ...pair.others]
  const isTracked = witness && tracked
  const rows = [
    'global_defs {',
    `    router_id ${node}`,
    ...globals,
    '}',
    ...pair.trackers,
    ...(witness ? instances.flatMap(({ name }) => productTrackers(name, stateFolder)) : []),
    ...instances.flatMap(({ name, routerId, addresses, rows: more }) => [
      `vrrp_instance ${name} {`,
      '    state BACKUP',
      '    interface eth0',
      `    virtual_router_id ${routerId}`,
      `    priority ${pair.priorities[node]}`,
      ...(pair.preempt ? [] : ['    nopreempt']),
      `    advert_int ${advertIntervalMs / 1000}`,
      ...block('virtual_ipaddress', addresses),
      ...more.map((row) => `    ${row}`),
      ...block('track_file', isTracked ? [`bar_${name}`] : []),
      ...block('track_script', [...pair.scripts, ...(isTracked ? [`witness_${name}`] : [])]),
      '}',
    ]),
  ]
  return `${rows.join('\n')}\n`
}

function productTrackers(name: string, stateDir: string): readonly string[] {
  const unit = '    '
  return [
    ...barLines(name, { runDir: runFolder, unit }),
    ...checkLines(name, { checkProgram: checkPath, stateDir, namesUser: false, unit }),
  ]
}

/** A block of an instance; none if it would be empty. */
function block(name: string, rows: readonly string[]): readonly string[] {
  return rows.length === 0 ? [] : [`    ${name} {`, ...rows.map((row) => `        ${row}`), '    }']
}
