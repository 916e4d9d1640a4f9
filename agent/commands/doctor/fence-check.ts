/** Whether the commands of the fence and of the announcement are likely to work. None of them is run. */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { Profile } from '../../../shared/protocol/plan.ts'
import type { AnnounceCommand } from '../../fence/announcer.ts'
import { runCommand } from '../../../shared/host/command.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const commandMs = 5000

export interface FenceCommands {
  readonly stopCommand: readonly string[]
  readonly startCommand: readonly string[]
  readonly lastResortCommand: readonly string[] | null
}

/**
 * @param keepalivedPid the parent that runs; null: none
 * @param run for tests
 */
export async function checkFenceCommands(
  { stopCommand, startCommand, lastResortCommand }: FenceCommands,
  keepalivedPid: number | null,
  run = runCommand,
): Promise<readonly Finding[]> {
  return [
    await checkCommand('stop-command', stopCommand, keepalivedPid, run),
    await checkCommand('start-command', startCommand, keepalivedPid, run),
    ...(lastResortCommand === null ? [] : [checkProgram('last-resort', lastResortCommand)]),
  ]
}

async function checkCommand(
  check: string,
  command: readonly string[],
  keepalivedPid: number | null,
  run: typeof runCommand,
): Promise<Finding> {
  const there = checkProgram(check, command)
  const unit = unitOf(command)
  if (there.verdict !== 'ok' || unit === null) return there
  const { error, stdout } = await run(
    ['systemctl', 'show', '--property=LoadState,ActiveState,MainPID', unit],
    { timeoutMs: commandMs },
  )
  if (error !== null)
    return fail(
      check,
      `${command.join(' ')}: systemd does not answer (${error})`,
      'set a command that works on this host in agent.yaml',
    )
  const property = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? ''
  if (property('LoadState') !== 'loaded')
    return fail(
      check,
      `${command.join(' ')}: systemd has no unit ${unit} (${property('LoadState')})`,
      `set keepalived.${check === 'stop-command' ? 'stopCommand' : 'startCommand'} in agent.yaml to a command that works on this host`,
    )
  const mainPid = Number(property('MainPID'))
  if (keepalivedPid !== null && mainPid !== keepalivedPid)
    return fail(
      check,
      `${command.join(' ')}: the running keepalived (pid ${keepalivedPid}) does not belong to unit ${unit} (${property('ActiveState')}, pid ${mainPid}), so the command would not affect it`,
      `start keepalived with "systemctl start ${unit}", or set the command in agent.yaml to one that works on this host`,
    )
  return ok(check, `${command.join(' ')}: unit ${unit} is ${property('ActiveState')}`)
}

/** `systemctl [options] stop|start UNIT`; null: some other command. */
function unitOf([program = '', ...args]: readonly string[]): string | null {
  if (!/(^|\/)systemctl$/.test(program)) return null
  return args.filter((arg) => !arg.startsWith('-'))[1] ?? null
}

function checkProgram(check: string, command: readonly string[]): Finding {
  const [program = ''] = command
  const folders = program.includes('/')
    ? ['']
    : [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const found = folders.some((folder) => {
    try {
      accessSync(folder === '' ? program : join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  return found
    ? ok(check, `${command.join(' ')}: the program exists`)
    : fail(
        check,
        `${command.join(' ')}: there is no program "${program}" that this user may run`,
        'correct the command in agent.yaml',
      )
}

/** After a rival has released its VIPs, the holder announces them; otherwise clients keep sending to the rival. */
export function checkAnnouncement(
  profiles: readonly Profile[],
  command: AnnounceCommand,
): readonly Finding[] {
  const silent = profiles.flatMap(({ vips, interface: device }) =>
    vips.filter((vip) => command({ address: vip.split('/')[0] ?? vip, device }) === null),
  )
  if (silent.length === 0) return [ok('announce', 'all VIPs can be announced')]
  const v6 = silent.some((vip) => vip.includes(':'))
  const v4 = silent.some((vip) => !vip.includes(':'))
  const programs = [
    ...(v4 ? ['arping (package iputils-arping)'] : []),
    ...(v6 ? ['ndsend (package vzctl or ndisc6) or ndptool'] : []),
  ]
  return [
    warn(
      'announce',
      `${silent.join(', ')} cannot be announced, so after a split brain clients may keep sending to the wrong node`,
      `install ${programs.join(' and ')}, or set vrrp_garp_master_refresh in keepalived.conf`,
    ),
  ]
}
