/** Whether the agent is running, starts at boot, and has the rights that a fence needs. */
import { readFileSync } from 'node:fs'
import { lockOwner } from '../../../shared/disk/folder-lock.ts'
import { runCommand } from '../../../shared/host/command.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const commandMs = 5000

/** Whether an agent uses the state folder, and its pid; null: none. */
export function checkDaemon(at: { readonly stateDir: string; readonly bootId: string }): {
  readonly finding: Finding
  readonly pid: number | null
} {
  const pid = lockOwner(at.stateDir, at.bootId)
  if (pid !== null) return { finding: ok('agent', `the agent is running (pid ${pid})`), pid }
  return {
    finding: fail(
      'agent',
      `no agent is running with the state folder ${at.stateDir}, so only the check protects this node`,
      'run "systemctl start witness-agent"; "journalctl -u witness-agent" shows why it ended',
    ),
    pid: null,
  }
}

/** @param run for tests */
export async function checkUnit(run = runCommand): Promise<Finding> {
  const { error, stdout } = await run(['systemctl', 'is-enabled', 'witness-agent.service'], {
    timeoutMs: commandMs,
  })
  const said = stdout.trim().split('\n').at(-1) ?? ''
  if (error === null) return ok('unit', `witness-agent.service is ${said}`)
  if (error.endsWith('no such program') || said === '')
    return warn(
      'unit',
      'systemd has no witness-agent.service to start at boot',
      'make sure that the agent starts at boot, before keepalived',
    )
  return fail(
    'unit',
    `witness-agent.service is ${said}, so after a reboot this node has no agent`,
    'run "systemctl enable witness-agent"',
  )
}

/** capabilities(7): SIGKILL to keepalived, `ip addr del`, gratuitous ARP. */
const needed = [
  { bit: 5n, name: 'CAP_KILL', without: 'a frozen keepalived cannot be killed' },
  { bit: 12n, name: 'CAP_NET_ADMIN', without: 'a VIP cannot be removed' },
  { bit: 13n, name: 'CAP_NET_RAW', without: 'the VIP cannot be announced' },
] as const

/** @param status proc(5), of the agent where it runs, else of this process */
export function checkRights(status: string, whose: string): Finding {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
  const effective = /^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1]
  if (uid === undefined || effective === undefined)
    return warn('rights', `the rights of ${whose} cannot be read`, 'run the doctor as root')
  const mask = BigInt(`0x${effective}`)
  const missing = needed.filter(({ bit }) => ((mask >> bit) & 1n) === 0n)
  if (missing.length > 0)
    return fail(
      'rights',
      `${whose} lacks ${missing.map(({ name, without }) => `${name} (${without})`).join(', ')}`,
      'run the agent as root, with the unit from the package',
    )
  return ok(
    'rights',
    `${whose} may kill keepalived, remove addresses and announce them${uid === '0' ? '' : ` (user ${uid})`}`,
  )
}

/** Null: it cannot be read. */
export function statusOf(pid: number | 'self'): string | null {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return null
  }
}
