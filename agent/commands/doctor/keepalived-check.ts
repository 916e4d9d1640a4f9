/** Whether keepalived really uses what the product gave it: the FIFO, the bar, the check. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { messageOf } from '../../../shared/error-message.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import { CheckStamp } from '../../check/stamp.ts'
import { parseKeepalivedConf } from '../../keepalived-conf/profiles.ts'
import type { ProcessLook } from '../../keepalived/process.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const setup = '"witness-agent setup" shows the lines, "witness-agent setup --apply" adds them'
const reload = '"systemctl reload keepalived"'

/** @returns the instances that the other checks ask about; none where the file cannot be read */
export function checkConfiguration(of: { readonly path: string; readonly runDir: string }): {
  readonly findings: readonly Finding[]
  readonly profiles: readonly Profile[]
} {
  try {
    const { profiles, warnings } = parseKeepalivedConf(of.path, { runDir: of.runDir })
    const names = profiles.map(({ instance }) => instance).join(', ')
    const read =
      profiles.length === 0
        ? fail('keepalived.conf', `${of.path} has no vrrp_instance`, 'configure keepalived first')
        : ok('keepalived.conf', `${of.path}: ${names}`)
    return { profiles, findings: [read, ...warnings.map((text) => warn('keepalived.conf', text, setup))] }
  } catch (cause) {
    return {
      profiles: [],
      findings: [
        fail('keepalived.conf', messageOf(cause), 'correct the file; "keepalived -t" says the same'),
      ],
    }
  }
}

export function checkProcess(look: ProcessLook, pidFile: string): Finding {
  switch (look.state) {
    case 'running':
      return ok('keepalived', `keepalived runs (VRRP process ${look.vrrpPid ?? 0})`)
    case 'frozen':
      return fail(
        'keepalived',
        'keepalived is stopped by SIGSTOP or a debugger',
        `"kill -CONT ${look.vrrpPid ?? ''}"`,
      )
    case 'absent':
      return fail(
        'keepalived',
        look.hasPidFile
          ? 'keepalived does not run'
          : `keepalived does not run, or its pid files are not beside ${pidFile}`,
        '"systemctl start keepalived"; where it runs, set keepalived.pidFile in agent.yaml',
      )
  }
}

/** keepalived's FIFO must be the agent's, nobody else's to write, and open in keepalived. */
export function checkFifo(path: string, pids: readonly number[], proc = '/proc'): Finding {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined)
    return fail('fifo', `${path} is missing`, 'start the agent, which makes it; then reload keepalived')
  if (!stat.isFIFO())
    return fail('fifo', `${path} is no FIFO`, `remove it, restart the agent, then ${reload}`)
  if (stat.uid !== 0 || (stat.mode & 0o022) !== 0)
    return fail(
      'fifo',
      `${path} may be written by others than root (owner ${stat.uid}, mode ${(stat.mode & 0o777).toString(8)}): whoever writes there speaks as keepalived`,
      `"chown root ${path}; chmod 600 ${path}"`,
    )
  if (pids.length === 0)
    return warn(
      'fifo',
      `${path} is there; keepalived does not run, so it has nobody to open it`,
      'start keepalived',
    )
  const open = openFiles(pids, proc)
  if (open === null)
    return warn('fifo', `which files keepalived has open cannot be seen`, 'run the doctor as root')
  if (open.includes(realpathSync(path))) return ok('fifo', `keepalived has ${path} open`)
  return fail(
    'fifo',
    `keepalived does not have ${path} open: the agent learns of a MASTER late`,
    `${setup}; then ${reload} (a FIFO that was replaced after keepalived opened it needs a restart of keepalived)`,
  )
}

/** keepalived watches the folder of a tracked file with inotify; without the watch the bar bars nothing. */
export function checkBar(runDir: string, pids: readonly number[], proc = '/proc'): Finding {
  const stat = statSync(runDir, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined)
    return fail(
      'bar',
      `${runDir} is missing: there is no place for the bar`,
      '"systemd-tmpfiles --create", then restart keepalived and the agent',
    )
  if (pids.length === 0)
    return warn(
      'bar',
      `${runDir} is there; keepalived does not run, so nobody watches it`,
      'start keepalived',
    )
  const inodes = watchedInodes(pids, proc)
  if (inodes === null) return warn('bar', 'what keepalived watches cannot be seen', 'run the doctor as root')
  if (inodes.includes(stat.ino)) return ok('bar', `keepalived watches ${runDir}, where the bar files are`)
  return fail(
    'bar',
    `keepalived does not watch ${runDir}: a bar would not put it into FAULT`,
    `${setup}; where the lines are there, ${reload} (keepalived drops a track_file whose folder was missing at its start)`,
  )
}

/** Null: not to be seen by this user. */
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

/** What at least one of the processes shows; null where none lets itself be looked at. */
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
 * A file that is younger than the running keepalived may not be what runs. A reload does not show from outside; what it
 * brought does, where FIFO, bar and check are in use.
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
    return ok('loaded', 'keepalived does not run, or has no file to load')
  const startedWallMs = nowMs - (bootMs - startedAtMs)
  if (changedAtMs <= startedWallMs)
    return ok('loaded', `keepalived started after ${basename(path)} was changed`)
  if (isInUse) return ok('loaded', `keepalived uses what ${basename(path)} says of FIFO, bar and check`)
  return warn(
    'loaded',
    `${path} was changed ${Math.round((changedAtMs - startedWallMs) / 1000)} s after keepalived started; whether it was loaded since does not show from outside`,
    `${reload} if you have not`,
  )
}

/** keepalived touches the stamp each time it runs the check: it is watched for a while. */
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
          `${instance}: keepalived has not run the check for ${longestMs / 1000} s: if the agent dies, nothing lets the VIP go`,
          `${setup}; then ${reload}`,
        ),
  )
}

/** What the agent last said to the check, per instance. */
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
        `${instance}: ${name} cannot be read (${messageOf(cause)}): the check asks the witness each time`,
        'start the agent; it writes the file when it has heard somebody',
      )
    }
    const [word = '', boot, until, ...why] = text.trim().split(' ')
    const leftMs = Number(until) - of.bootMs
    if ((word !== 'permit' && word !== 'bar') || !Number.isFinite(leftMs))
      return fail('permit', `${instance}: ${name} is malformed`, 'restart the agent')
    if (boot !== of.bootId)
      return fail('permit', `${instance}: ${name} is of another boot`, 'start the agent')
    if (leftMs <= 0)
      return fail(
        'permit',
        `${instance}: the agent's last word is ${Math.round(-leftMs)} ms too old`,
        'look whether the agent runs and hears witness or peer; a claim of this very moment looks like this, too',
      )
    const reason = why.join(' ')
    return word === 'permit'
      ? ok('permit', `${instance}: permitted: ${reason}`)
      : warn(
          'permit',
          `${instance}: barred: ${reason}`,
          'as it should be in a fault; else "witnessctl status" says why',
        )
  })
}
