/**
 * What keepalived.conf says of each vrrp_instance, and which of the product's own lines it lacks. Values that
 * keepalived would correct (an advert_int that VRRPv2 cannot send, an impossible priority) are corrected the same
 * way, with a warning, so that the agent computes with keepalived's numbers. keepalived.conf(5).
 */
import type { Vip } from '../keepalived/vip.ts'
import { instanceName, maxInstances, maxVipsTold } from '../../shared/protocol/names.ts'
import { type Profile, profileSchema } from '../../shared/protocol/plan.ts'
import { all, at, defaultConfigId, knownWord, last, readStatements, type Statement } from './statements.ts'
import { comparedOf } from './compared.ts'
import { fifoReaders, missingLines } from './missing-lines.ts'
import { fifoPath } from './product-lines.ts'
import { withToldVips } from './told-vips.ts'
import { weightsOf } from './weights.ts'
import { KeepalivedConfError } from './lines.ts'
import { vipsOfInstance, type Warn } from './vips.ts'

export { KeepalivedConfError } from './lines.ts'

export interface KeepalivedConf {
  readonly profiles: Profile[]
  /** By instance: its VIPs with their devices, which no other host needs to know. */
  readonly vips: ReadonlyMap<string, readonly Vip[]>
  /** By instance: the VRRP password, which no other host may learn. */
  readonly passwords: ReadonlyMap<string, string>
  /** For the operator, each with file and line. */
  readonly warnings: string[]
  /** Of these warnings, those of programs that read the agent's FIFO beside the agent. */
  readonly fifoReaders: readonly string[]
}

export interface KeepalivedConfOptions {
  /** Where the agent's FIFO and bar files are; without it the product's own lines are not looked for. */
  readonly runDir?: string
  /** keepalived's `-i`, for `@host` lines; by default the host's name up to its first dot, as in keepalived. */
  readonly configId?: string
}

const defaultPriority = 100
const ownerPriority = 255
/** IFNAMSIZ with its terminating NUL. */
const maxInterfaceName = 15

/**
 * @param path keepalived's configuration file; what it includes is read too
 * @throws KeepalivedConfError where the file cannot be read, its braces do not match, or a value is known to
 * nobody but the running keepalived
 */
export function parseKeepalivedConf(path: string, options: KeepalivedConfOptions = {}): KeepalivedConf {
  const configId = options.configId ?? defaultConfigId()
  const { root, warnings } = readStatements(path, configId)
  const instances = uniqueInstances(root, warnings)
  const { profiles, vips, passwords } = instancesOf(root, instances, warnings)
  if (options.runDir === undefined) return { profiles, vips, passwords, warnings, fifoReaders: [] }
  warnings.push(...missingLines(path, { root, instances, runDir: options.runDir }).map(({ text }) => text))
  const globals = all(root, 'global_defs').flatMap(({ block }) => block ?? [])
  const readers = fifoReaders(globals, fifoPath(options.runDir))
  return { profiles, vips, passwords, warnings, fifoReaders: readers }
}

/** @param instances those of `uniqueInstances`, in their order */
export function profilesOf(root: Statement[], instances: Statement[], warnings: string[]): Profile[] {
  return instancesOf(root, instances, warnings).profiles
}

function instancesOf(
  root: Statement[],
  instances: Statement[],
  warnings: string[],
): Pick<KeepalivedConf, 'profiles' | 'vips' | 'passwords'> {
  const globalVersion = vrrpVersion(root, warnings)
  const read = instances.map((instance) => readInstance(instance, { root, globalVersion }, warnings))
  return {
    profiles: withToldVips(
      read.map(({ profile }) => profile),
      warnings,
    ),
    vips: new Map(read.map(({ profile, vips }) => [profile.instance, vips])),
    passwords: new Map(
      read.flatMap(({ profile, password }) => (password === null ? [] : [[profile.instance, password]])),
    ),
  }
}

/**
 * The instances that keepalived takes (each with one name, the first of a name), without those that cannot be
 * protected: one such instance must not leave the others without an agent. @throws KeepalivedConfError
 */
export function uniqueInstances(root: Statement[], warnings: string[]): Statement[] {
  const byName = new Map<string, Statement>()
  for (const statement of root.filter((candidate) => candidate.words[0] === 'vrrp_instance')) {
    const name = knownWord(statement, 1)
    if (name === undefined || statement.words.length !== 2) {
      warnings.push(
        `${at(statement)}: keepalived ignores this vrrp_instance, because it needs exactly one name`,
      )
      continue
    }
    const valid = instanceName.safeParse(name)
    if (!valid.success) {
      warnings.push(
        `${at(statement)}: vrrp_instance "${name.slice(0, 80)}" is NOT protected, because the agent uses its name as a file name and cannot use this one (${valid.error.issues[0]?.message ?? 'invalid'}); rename the instance on both nodes`,
      )
      continue
    }
    const first = byName.get(name)
    if (first === undefined) byName.set(name, statement)
    else
      warnings.push(
        `${at(statement)}: keepalived ignores this vrrp_instance, because ${name} is already defined at ${at(first)}`,
      )
  }
  const instances = [...byName.values()]
  for (const statement of instances.slice(maxInstances))
    warnings.push(
      `${at(statement)}: vrrp_instance ${statement.words[1] ?? ''} is NOT protected, because an agent protects the first ${maxInstances} instances of keepalived.conf; put the most important ones first`,
    )
  return instances.slice(0, maxInstances)
}

function integer(text: string | undefined, { min, max }: { min: number; max: number }): number | null {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return null
  const value = Number(text)
  return value >= min && value <= max ? value : null
}

function vrrpVersion(root: Statement[], warnings: string[]): 2 | 3 {
  const line = last(
    all(root, 'global_defs').flatMap((defs) => defs.block ?? []),
    'vrrp_version',
  )
  return line === undefined ? 2 : (versionOf(line, warnings) ?? 2)
}

function versionOf(line: Statement, warnings: string[]): 2 | 3 | null {
  const version = integer(knownWord(line, 1), { min: 2, max: 3 })
  if (version === 2 || version === 3) return version
  warnings.push(`${at(line)}: keepalived ignores this ${line.words[0] ?? ''}, because it must be 2 or 3`)
  return null
}

function readInstance(
  instance: Statement,
  { root, globalVersion }: { readonly root: Statement[]; readonly globalVersion: 2 | 3 },
  warnings: string[],
): { readonly profile: Profile; readonly vips: readonly Vip[]; readonly password: string | null } {
  const name = instance.words[1] ?? ''
  const warn: Warn = (place, what) => warnings.push(`${at(place)}: ${name}: ${what}`)
  const virtualRouterId = virtualRouterIdOf(instance, warn)
  const device = interfaceOf(instance, warn)
  const { written, vips, isIpv6, familyFrom } = vipsOfInstance(
    instance,
    { root, interface: device, virtualRouterId },
    warn,
  )
  const version = instanceVersion(instance, { isIpv6, familyFrom, globalVersion, root }, warnings)
  const isMaster = isMasterAtFirst(instance)
  const priority = priorityOf(instance, isMaster, warn)
  // The owner of the address keeps its 255, whatever it tracks.
  const weights = priority === ownerPriority ? undefined : weightsOf(root, instance)
  const { compared, password } = comparedOf(instance, { version, isMaster })
  const candidate = {
    instance: name,
    virtualRouterId,
    interface: device,
    version,
    priority,
    nopreempt: nopreemptOf(instance, { isMaster, priority }, warn),
    advertIntMs: advertIntMsOf(instance, version, warn),
    downTimerAdverts: downTimerAdvertsOf(root, instance, warn),
    ...(weights === undefined ? {} : { weights }),
    // The agent protects all of them. The witness compares and shows the first.
    vips: written.slice(0, maxVipsTold),
    compared,
  }
  const valid = profileSchema.safeParse(candidate)
  if (valid.success) return { profile: valid.data, vips, password }
  const issue = valid.error.issues[0]
  throw new KeepalivedConfError(
    instance,
    `vrrp_instance ${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
  )
}

/** The first valid version counts, and none that comes after an IPv6 address and does not fit it. */
function instanceVersion(
  instance: Statement,
  of: {
    readonly isIpv6: boolean
    readonly familyFrom: number | null
    readonly globalVersion: 2 | 3
    readonly root: Statement[]
  },
  warnings: string[],
): 2 | 3 {
  const own = all(instance.block, 'version')
    .map((line) => ({ line, version: versionOf(line, warnings) }))
    .find(
      ({ line, version }) =>
        version === 3 ||
        (version === 2 && !(of.isIpv6 && of.familyFrom !== null && line.order > of.familyFrom)),
    )
  if (!of.isIpv6) return own?.version ?? of.globalVersion
  if (own?.version !== 2) return 3
  const isStrict = isStrictMode(instance, of.root)
  warnings.push(
    `${at(own.line)}: IPv6 needs VRRP version 3; ${isStrict ? 'version 2 is ignored' : 'keepalived sends version 2 all the same, so write "version 3"'}`,
  )
  return isStrict ? 3 : 2
}

function isStrictMode(instance: Statement, root: Statement[]): boolean {
  const own = last(instance.block, 'strict_mode')
  if (own !== undefined) return !['off', 'no', 'false'].includes(own.words[1] ?? '')
  return all(root, 'global_defs').some((defs) => last(defs.block, 'vrrp_strict') !== undefined)
}

/** keepalived lets a later BACKUP not undo MASTER, but a word that it does not know does. */
function isMasterAtFirst(instance: Statement): boolean {
  return all(instance.block, 'state').reduce((isMaster, { words }) => {
    if (words[1] === 'MASTER') return true
    return isMaster && words[1] === 'BACKUP'
  }, false)
}

function priorityOf(instance: Statement, isMaster: boolean, warn: Warn): number {
  const line = last(instance.block, 'priority')
  if (line === undefined) return isMaster ? ownerPriority : defaultPriority
  const priority = integer(knownWord(line, 1), { min: 1, max: 255 })
  if (priority === null) warn(line, `priority must be 1 to 255; keepalived uses ${defaultPriority}`)
  return priority ?? defaultPriority
}

function nopreemptOf(
  instance: Statement,
  { isMaster, priority }: { isMaster: boolean; priority: number },
  warn: Warn,
): boolean {
  const line = last(instance.block, 'nopreempt', 'preempt')
  if (line?.words[0] !== 'nopreempt') return false
  if (isMaster)
    warn(line, 'keepalived ignores nopreempt with "state MASTER"; write "state BACKUP" on both nodes')
  else if (priority === ownerPriority) warn(line, 'keepalived ignores nopreempt with priority 255')
  return !isMaster && priority !== ownerPriority
}

function virtualRouterIdOf(instance: Statement, warn: Warn): number {
  const lines = all(instance.block, 'virtual_router_id')
  const id = lines
    .map((line) => integer(knownWord(line, 1), { min: 1, max: 255 }))
    .findLast((valid) => valid !== null)
  if (id == null)
    warn(
      lines.at(-1) ?? instance,
      'there is no valid virtual_router_id (1 to 255); keepalived does not run this instance',
    )
  return id ?? 0
}

function interfaceOf(instance: Statement, warn: Warn): string {
  const line = last(instance.block, 'interface')
  const name = line === undefined ? undefined : knownWord(line, 1)
  if (name !== undefined && name.length <= maxInterfaceName) return name
  if (line !== undefined)
    warn(
      line,
      `interface needs a name of at most ${maxInterfaceName} characters; keepalived ignores the line`,
    )
  else if (last(instance.block, 'unicast_src_ip', 'mcast_src_ip') === undefined)
    warn(instance, 'there is no interface; keepalived does not run this instance')
  return ''
}

/** VRRPv2 sends whole seconds, VRRPv3 hundredths up to 40.95 s; keepalived rounds to that. */
function advertIntMsOf(instance: Statement, version: 2 | 3, warn: Warn): number {
  let valid: { readonly line: Statement; readonly written: string; readonly ms: number } | null = null
  for (const line of all(instance.block, 'advert_int')) {
    const written = knownWord(line, 1) ?? ''
    const ms = /^(\d{1,6}(\.\d*)?|\.\d+)$/.test(written) ? Number(written) * 1000 : 0
    if (ms >= 10 && ms <= 255_000) valid = { line, written, ms }
    else
      warn(
        line,
        `advert_int must be 0.01 to 255 seconds; keepalived ignores this one and uses ${(valid?.ms ?? 1000) / 1000}`,
      )
  }
  if (valid === null) return 1000
  const { line, written, ms } = valid
  const grainMs = version === 2 ? 1000 : 10
  const rounded = Math.min(
    Math.max(Math.round(ms / grainMs) * grainMs, grainMs),
    version === 2 ? 255_000 : 40_950,
  )
  if (Math.abs(rounded - ms) > 0.001)
    warn(line, `advert_int ${written} is rounded to ${rounded / 1000} s in VRRP version ${version}`)
  return rounded
}

const defaultDownTimerAdverts = 3

/** The instance's own, or the global default; with `vrrp_strict` keepalived goes back to what the RFCs say. */
function downTimerAdvertsOf(root: Statement[], instance: Statement, warn: Warn): number {
  const globals = all(root, 'global_defs').flatMap((defs) => defs.block ?? [])
  const own = downTimerAdvertsIn(last(instance.block, 'down_timer_adverts'), warn)
  const adverts = own ?? downTimerAdvertsIn(last(globals, 'vrrp_down_timer_adverts'), warn)
  const strict = all(instance.block, 'strict_mode').at(-1) ?? all(globals, 'vrrp_strict').at(-1)
  const isStrict = strict !== undefined && !['false', 'off', 'no'].includes(strict.words[1] ?? '')
  return isStrict ? defaultDownTimerAdverts : (adverts ?? defaultDownTimerAdverts)
}

function downTimerAdvertsIn(line: Statement | undefined, warn: Warn): number | null {
  if (line === undefined) return null
  const adverts = integer(knownWord(line, 1), { min: 1, max: 100 })
  if (adverts === null) warn(line, `${line.words[0] ?? ''} must be 1 to 100; keepalived ignores the line`)
  return adverts
}
