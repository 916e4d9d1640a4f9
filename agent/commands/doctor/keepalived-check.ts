/** Whether keepalived really uses the FIFO, the bar and the check. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { assertNever } from '../../../shared/assert-never.ts'
import { messageOf } from '../../../shared/error-message.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import { staticAddressesAmong } from '../../keepalived-conf/static-addresses.ts'
import { staticPlaces } from '../../keepalived/address-origin.ts'
import type { Vip } from '../../keepalived/vip.ts'
import { CheckStamp } from '../../check/stamp.ts'
import { parseKeepalivedConf } from '../../keepalived-conf/profiles.ts'
import { dumpHindrance } from '../../keepalived/dump-hindrance.ts'
import { describeUnknown, elsewhereAdvice, type ProcessLook } from '../../keepalived/process.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const setup = '"witness-agent setup" shows missing lines, and "witness-agent setup --apply" adds them'
const reload = 'run "systemctl reload keepalived"'

/** @returns the instances for the other checks; none if the file cannot be read */
export function checkConfiguration(of: {
  readonly path: string
  readonly runDir: string
  readonly configId?: string | null
}): {
  readonly findings: readonly Finding[]
  readonly profiles: readonly Profile[]
  readonly vips: ReadonlyMap<string, readonly Vip[]>
} {
  try {
    const { profiles, vips, warnings, fifoReaders } = parseKeepalivedConf(of.path, {
      runDir: of.runDir,
      ...(of.configId == null ? {} : { configId: of.configId }),
    })
    const names = profiles.map(({ instance }) => instance).join(', ')
    const read =
      profiles.length === 0
        ? fail('keepalived.conf', `${of.path} has no vrrp_instance`, 'configure keepalived first')
        : ok('keepalived.conf', `${of.path}: ${names}`)
    return {
      profiles,
      vips,
      findings: [
        read,
        ...fifoReaders.map((text) => fail('keepalived.conf', text, `${reload} when the file is corrected`)),
        ...warnings
          .filter((text) => !fifoReaders.includes(text))
          .map((text) => warn('keepalived.conf', text, setup)),
      ],
    }
  } catch (cause) {
    return {
      profiles: [],
      vips: new Map(),
      findings: [
        fail('keepalived.conf', messageOf(cause), 'correct the file; "keepalived -t" shows the same fault'),
      ],
    }
  }
}

/** A VIP that is a static address, too, is on a node that is not MASTER as well, and no fence removes it for good. */
export function checkStaticVips(
  vips: readonly Vip[],
  keepalived: Parameters<typeof staticAddressesAmong>[1],
  root?: string,
): readonly Finding[] {
  const places = [...staticAddressesAmong(vips, keepalived), ...staticPlaces(vips, root)]
  if (places.length === 0) return [ok('static-vip', 'no VIP is a static address in a file of this host')]
  return places.map(({ address, place }) =>
    fail(
      'static-vip',
      `${address} is a VIP and a static address, too (${place}), so this node has it even when it is not MASTER`,
      `remove it from ${place} on both nodes; if a node that is not MASTER has it, run "ip addr del" there`,
    ),
  )
}

export function checkProcess(look: ProcessLook): Finding {
  switch (look.state) {
    case 'running':
      return ok('keepalived', `keepalived is running (VRRP process ${look.vrrpPid ?? 0})`)
    case 'frozen':
      return fail(
        'keepalived',
        'keepalived is frozen by SIGSTOP or a debugger',
        `run "kill -CONT ${look.vrrpPid ?? ''}"`,
      )
    case 'absent':
      return fail('keepalived', 'keepalived is not running', 'run "systemctl start keepalived"')
    case 'unknown':
      return fail(
        'keepalived',
        describeUnknown(look),
        look.elsewhere
          ? elsewhereAdvice
          : 'set keepalived.vrrpPidFile and keepalived.pidFile in agent.yaml, then run "systemctl restart witness-agent"',
      )
    default:
      return assertNever(look.state)
  }
}

/** The doctor sees processes that a /proc with hidepid hides from the agent, which has fewer rights. */
export function checkProcessTable(mounts = '/proc/self/mounts'): readonly Finding[] {
  const isHiding = readFileSync(mounts, 'utf8')
    .split('\n')
    .map((row) => row.split(' '))
    .some(
      ([, at, type, options = '']) => at === '/proc' && type === 'proc' && /hidepid=(?!0|off)/.test(options),
    )
  if (!isHiding) return []
  return [
    warn(
      'process-table',
      '/proc is mounted with hidepid, so the agent cannot see the process of keepalived, though this doctor can',
      'mount /proc without hidepid, or let the agent see it: "systemctl edit witness-agent", with CapabilityBoundingSet=CAP_SYS_PTRACE under [Service]',
    ),
  ]
}

/** The FIFO must be writable by root only, and keepalived must have it open. */
export function checkFifo(path: string, pids: readonly number[], proc = '/proc'): Finding {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined)
    return fail('fifo', `${path} is missing`, 'start the agent, which creates it; then reload keepalived')
  if (!stat.isFIFO())
    return fail('fifo', `${path} is not a FIFO`, `remove it, restart the agent, then ${reload}`)
  if (stat.uid !== 0 || (stat.mode & 0o022) !== 0)
    return fail(
      'fifo',
      `${path} can be written by users other than root (owner ${stat.uid}, mode ${(stat.mode & 0o777).toString(8)}), and whoever writes there can pose as keepalived`,
      `run "chown root ${path}; chmod 600 ${path}"`,
    )
  if (pids.length === 0)
    return warn(
      'fifo',
      `${path} exists, but keepalived is not running and so does not have it open`,
      'start keepalived',
    )
  const open = openFiles(pids, proc)
  if (open === null)
    return warn('fifo', `this user cannot see which files keepalived has open`, 'run the doctor as root')
  if (open.includes(realpathSync(path))) return ok('fifo', `keepalived has ${path} open`)
  return fail(
    'fifo',
    `keepalived does not have ${path} open, so the agent learns late that keepalived is MASTER`,
    `${setup}; then ${reload} (a FIFO that was replaced after keepalived opened it needs a restart of keepalived)`,
  )
}

/** Whether keepalived's dump can arrive where the agent reads it. keepalived is not asked for one. */
export function checkDump(file: string, parentPid: number | null, proc = '/proc'): Finding {
  const hindrance = dumpHindrance(file, parentPid, proc)
  if (hindrance === null) return ok('dump', `nothing keeps keepalived from writing its dump to ${file}`)
  const [text = hindrance, ...advice] = hindrance.split('; ')
  return fail('dump', text, advice.join('; '))
}

/** keepalived watches the folder of a tracked file with inotify. Without that watch the bar has no effect. */
export function checkBar(runDir: string, pids: readonly number[], proc = '/proc'): Finding {
  const stat = statSync(runDir, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined)
    return fail(
      'bar',
      `${runDir} is missing, so the bar files cannot be written`,
      'run "systemd-tmpfiles --create", then restart keepalived and the agent',
    )
  if (pids.length === 0)
    return warn(
      'bar',
      `${runDir} exists, but keepalived is not running and so does not watch it`,
      'start keepalived',
    )
  const inodes = watchedInodes(pids, proc)
  if (inodes === null)
    return warn('bar', 'this user cannot see which folders keepalived watches', 'run the doctor as root')
  if (inodes.includes(stat.ino)) return ok('bar', `keepalived watches ${runDir}, where the bar files are`)
  return fail(
    'bar',
    `keepalived does not watch ${runDir}, so a bar would not put it into FAULT`,
    `${setup}; if the lines are already there, ${reload} (keepalived drops a track_file whose folder was missing when it started)`,
  )
}

/** Null: this user may not see it. */
function openFiles(pids: readonly number[], proc: string): readonly string[] | null {
  return gather(pids, (pid) => {
    const folder = join(proc, `${pid}`, 'fd')
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))]
      } catch {
        return []
      }
    })
  })
}

/** proc(5): `inotify wd:1 ino:2c4 sdev:1a mask:…`, the inode in hexadecimal. */
function watchedInodes(pids: readonly number[], proc: string): readonly bigint[] | null {
  return gather(pids, (pid) => {
    const folder = join(proc, `${pid}`, 'fdinfo')
    return readdirSync(folder).flatMap((name) => {
      try {
        const text = readFileSync(join(folder, name), 'utf8')
        return Array.from(text.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+)/gm), ([, ino = '0']) =>
          BigInt(`0x${ino}`),
        )
      } catch {
        return []
      }
    })
  })
}

/** What at least one of the processes shows; null: this user may not look at any of them. */
function gather<T>(pids: readonly number[], list: (pid: number) => readonly T[]): readonly T[] | null {
  const lists = pids.flatMap((pid) => {
    try {
      return [list(pid)]
    } catch {
      return []
    }
  })
  return lists.length === 0 ? null : lists.flat()
}

/**
 * If the file is newer than the running keepalived, keepalived may use an older version of it. A reload cannot be
 * seen from outside, but it can be seen whether FIFO, bar and check are in use.
 */
export function checkLoaded(of: {
  readonly path: string
  readonly startedAtMs: number | null
  readonly isInUse: boolean
  readonly bootMs: number
  readonly nowMs: number
}): Finding {
  const { path, startedAtMs, isInUse, bootMs, nowMs } = of
  const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  if (startedAtMs === null || changedAtMs === undefined)
    return ok('loaded', 'keepalived is not running, or has no file to load')
  const startedWallMs = nowMs - (bootMs - startedAtMs)
  if (changedAtMs <= startedWallMs)
    return ok('loaded', `keepalived started after the last change of ${basename(path)}`)
  if (isInUse) return ok('loaded', `keepalived uses the FIFO, the bar and the check of ${basename(path)}`)
  return warn(
    'loaded',
    `${path} was changed ${Math.round((changedAtMs - startedWallMs) / 1000)} s after keepalived started, and it cannot be seen from outside whether keepalived has been reloaded since`,
    `${reload} if you have not done so`,
  )
}

/** The check touches its stamp each time keepalived runs it, so the stamp is watched for a while. */
export async function checkStamps(of: {
  readonly runDir: string
  readonly instances: readonly string[]
  readonly checkMs: number
  readonly pauseMs: (durationMs: number) => Promise<void>
}): Promise<readonly Finding[]> {
  const { runDir, instances, checkMs, pauseMs } = of
  const stamps = instances.map((instance) => ({
    instance,
    stamp: new CheckStamp(runDir, instance),
    seen: false,
  }))
  const longestMs = 2.5 * checkMs
  for (let waitedMs = 0; waitedMs < longestMs && stamps.some(({ seen }) => !seen); waitedMs += 100) {
    await pauseMs(100)
    for (const each of stamps) each.seen ||= each.stamp.look()
  }
  return stamps.map(({ instance, seen }) =>
    seen
      ? ok('check-runs', `${instance}: keepalived runs the check`)
      : fail(
          'check-runs',
          `${instance}: keepalived has not run the check for ${longestMs / 1000} s, so if the agent dies, nothing releases the VIP`,
          `${setup}; then ${reload}`,
        ),
  )
}

/** What the agent last permitted, for each instance. */
export function checkPermits(of: {
  readonly runDir: string
  readonly instances: readonly string[]
  readonly bootId: string
  readonly bootMs: number
}): readonly Finding[] {
  return of.instances.map((instance) => {
    const name = `${instance}.permit`
    let text: string
    try {
      text = readFileSync(join(of.runDir, name), 'utf8')
    } catch (cause) {
      return fail(
        'permit',
        `${instance}: ${name} cannot be read (${messageOf(cause)}), so the check asks the witness each time`,
        'start the agent; it writes the file once it hears the witness or the peer',
      )
    }
    const [word = '', boot, until, ...why] = text.trim().split(' ')
    const leftMs = Number(until) - of.bootMs
    if ((word !== 'permit' && word !== 'bar') || !Number.isFinite(leftMs))
      return fail('permit', `${instance}: ${name} is malformed`, 'restart the agent')
    if (boot !== of.bootId)
      return fail('permit', `${instance}: ${name} was written before the last reboot`, 'start the agent')
    if (leftMs <= 0)
      return fail(
        'permit',
        `${instance}: the permit of the agent expired ${Math.round(-leftMs)} ms ago`,
        'check that the agent is running and hears the witness or the peer; it also looks like this for a moment during a claim',
      )
    const reason = why.join(' ')
    return word === 'permit'
      ? ok('permit', `${instance}: permitted: ${reason}`)
      : warn(
          'permit',
          `${instance}: barred: ${reason}`,
          'this is right during a fault; otherwise "witnessctl status" shows why',
        )
  })
}
