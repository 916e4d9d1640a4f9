import {
  barLines,
  checkLines,
  fifoLine,
  scriptSecurity,
  scriptUser,
} from '../../agent/keepalived-conf/product-lines.ts'
import { instance, nodes, vip, type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'

/** lb01 is the one that keepalived prefers. */
export const priorities: Readonly<Record<LabNode, number>> = { lb01: 150, lb02: 100 }

/** advert_int of most pairs; keepalived sends the first advert when it takes the VIP. */
export const advertIntervalMs = 1000

/** How soon keepalived misses the adverts of the other node. */
export interface AdvertPace {
  readonly version: 2 | 3
  readonly advertIntMs: number
  /** Absent: not configured. */
  readonly downTimerAdverts?: number
}

/** Where the agent and keepalived meet; as on a real host. */
export const runFolder = '/run/keepalived-witness'
/** Root-owned in every component, as `enable_script_security` wants it. */
export const checkPath = '/run/libexec/witness-check'

/** What the admin of the pair wrote into keepalived.conf, on both nodes alike where it is not said. */
export interface PairConf {
  readonly priorities: Readonly<Record<LabNode, number>>
  readonly names: Readonly<Record<LabNode, string>>
  readonly preempt: boolean
  readonly pace: AdvertPace
  /**
   * keepalived's `-i` of each node. Then one file has the lines of both nodes, with conditions, and a reader who takes
   * the host's name instead finds another instance. Null: no `-i` and no conditions.
   */
  readonly configIds: Readonly<Record<LabNode, string>> | null
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
  /** Further instances of lb02 alone. */
  readonly othersOfLb02: readonly OtherInstance[]
}

export interface OtherInstance {
  readonly name: string
  /** Absent: eth0. */
  readonly device?: 'eth1'
  readonly routerId: number
  readonly addresses: readonly string[]
  readonly rows: readonly string[]
}

/** The pair of most guides. */
export const everydayPair: PairConf = {
  priorities,
  names: { lb01: instance, lb02: instance },
  preempt: false,
  pace: { version: 2, advertIntMs: advertIntervalMs },
  configIds: null,
  addresses: [`${vip}/24`],
  trackers: [],
  scripts: [],
  rows: [],
  others: [],
  othersOfLb02: [],
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
  const instances: readonly OtherInstance[] = [
    own,
    ...pair.others,
    ...(node === 'lb02' ? pair.othersOfLb02 : []),
  ]
  const isTracked = witness && tracked
  const rows = [
    'global_defs {',
    `    router_id ${node}`,
    ...globals,
    '}',
    ...pair.trackers,
    ...(witness ? instances.flatMap(({ name }) => productTrackers(name, stateFolder)) : []),
    ...instances.flatMap(({ name, device = 'eth0', routerId, addresses, rows: more }) => [
      `vrrp_instance ${name} {`,
      '    state BACKUP',
      `    interface ${device}`,
      ...routerIdAndPriority(pair, { node, routerId }),
      ...(pair.preempt ? [] : ['    nopreempt']),
      ...advertRows(pair.pace),
      ...block('virtual_ipaddress', addresses),
      ...more.map((row) => `    ${row}`),
      ...block('track_file', isTracked ? [`bar_${name}`] : []),
      ...block('track_script', [...pair.scripts, ...(isTracked ? [`witness_${name}`] : [])]),
      '}',
    ]),
  ]
  return `${rows.join('\n')}\n`
}

function advertRows({ version, advertIntMs, downTimerAdverts }: AdvertPace): readonly string[] {
  return [
    ...(version === 3 ? ['    version 3'] : []),
    `    advert_int ${advertIntMs / 1000}`,
    ...(downTimerAdverts === undefined ? [] : [`    down_timer_adverts ${downTimerAdverts}`]),
  ]
}

/** What a reader finds who takes the name of the host for keepalived's `-i`. */
const misread = { routerId: 77, priority: 10 }

function routerIdAndPriority(
  { priorities: wanted, configIds }: PairConf,
  { node, routerId }: { node: LabNode; routerId: number },
): readonly string[] {
  if (configIds === null) return [`    virtual_router_id ${routerId}`, `    priority ${wanted[node]}`]
  return nodes.flatMap((each) => [
    `@${configIds[each]} virtual_router_id ${routerId}`,
    `@${configIds[each]} priority ${wanted[each]}`,
    `@${each} virtual_router_id ${misread.routerId}`,
    `@${each} priority ${misread.priority}`,
  ])
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
