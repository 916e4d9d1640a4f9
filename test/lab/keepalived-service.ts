/**
 * keepalived as a service of a lab host: two scripts that do what systemd does for Debian's unit. They are the agent's
 * startCommand and stopCommand, and the admin of the lab uses them too.
 */
import { chmodSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { labMount, promptly, type NamespaceHost } from './namespace-host.ts'

/** What agent.yaml says. */
export const pidFile = '/run/keepalived.pid'
export const vrrpPidFile = '/run/keepalived_vrrp.pid'

/** `elsewhere`: keepalived runs with others than agent.yaml says, as in a container with the host's network. */
export type PidFiles = 'usual' | 'elsewhere'

interface RealPidFiles {
  readonly pid: string
  readonly vrrp: string
}

const pidFilesOf: Readonly<Record<PidFiles, RealPidFiles>> = {
  usual: { pid: pidFile, vrrp: vrrpPidFile },
  elsewhere: { pid: '/run/container/keepalived.pid', vrrp: '/run/container/vrrp.pid' },
}

/**
 * How the configured stop command behaves: `fails` exits non-zero at once, `hangs` never returns, `kills its agent`
 * does its work after it has killed the agent that runs it, the first time only.
 */
export type StopCommand = 'works' | 'fails' | 'hangs' | 'kills its agent'

/** Exists while a stop is under way. */
const stopping = '/run/keepalived.stopping'
/** Exists once a stop command has killed its agent. */
export const agentKilled = '/run/agent-killed'

const running = ({ pid }: RealPidFiles): string =>
  `running() { [ -s ${pid} ] && kill -0 "$(cat ${pid})" 2>/dev/null; }`

function startScript(
  hostFolder: string,
  files: RealPidFiles,
  { before, configId }: { before: string; configId: string | null },
): string {
  const { pid, vrrp } = files
  return `#!/bin/sh
# systemctl start: waits for a stop that is under way, does nothing where it runs already; returns when keepalived is there.
${running(files)}
mkdir -p ${dirname(pid)}
while [ -e ${stopping} ] && running; do sleep 0.02; done
running && exit 0
rm -f ${pid} ${vrrp}
setsid -f sh -c '${before}exec "$@"' sh keepalived --dont-fork --log-console --no-syslog --log-detail \\
    --pid ${pid} --vrrp_pid ${vrrp} --checkers_pid /run/keepalived_checkers.pid \\
    --use-file ${hostFolder}/keepalived.conf${configId === null ? '' : ` --config-id ${configId}`} </dev/null >>${hostFolder}/keepalived.log 2>&1
for _ in $(seq 100); do
    [ -s ${vrrp} ] && exit 0
    sleep 0.02
done
echo "keepalived wrote no ${vrrp}; see keepalived.log" >&2
exit 1
`
}

const stop = (
  files: RealPidFiles,
): string => `# systemctl stop: SIGTERM, then waits until it is gone; SIGKILL after 90 s.
${running(files)}
running || exit 0
trap 'rm -f ${stopping}' EXIT
: >${stopping}
pid=$(cat ${files.pid})
kill -TERM "$pid"
for _ in $(seq 1800); do
    kill -0 "$pid" 2>/dev/null || exit 0
    sleep 0.05
done
kill -KILL "$pid"
`

const stopScript = (files: RealPidFiles): string => `#!/bin/sh
${stop(files)}`

const killingStopScript = (files: RealPidFiles): string => `#!/bin/sh
[ -e ${agentKilled} ] || { : >${agentKilled}; kill -KILL "$PPID"; }
${stop(files)}`

const reloadScript = ({ pid }: RealPidFiles): string => `#!/bin/sh
exec kill -HUP "$(cat ${pid})"
`

const failingStopScript = `#!/bin/sh
echo "Failed to stop keepalived.service: Connection timed out" >&2
exit 1
`

const hangingStopScript = `#!/bin/sh
exec sleep 1000000
`

/**
 * Signals every process of keepalived at once, as found in the host's own process table. Before SIGKILL all of them are
 * stopped, because a child that outlives its parent for a moment would still remove the VIP.
 */
const signalScript = `#!/bin/sh
pids=
for process in /proc/[0-9]*; do
    case "$(cat "$process/comm" 2>/dev/null)" in keepalived*) pids="$pids \${process#/proc/}" ;; esac
done
[ -n "$pids" ] || exit 0
[ "$1" != KILL ] || kill -STOP $pids
kill "-$1" $pids
`

const scripts = {
  start: 'start-keepalived',
  stop: 'stop-keepalived',
  configuredStop: 'configured-stop-keepalived',
  reload: 'reload-keepalived',
  signal: 'signal-keepalived',
} as const

/** Writes the scripts into the folder that a host sees as `hostFolder`. */
export function writeKeepalivedScripts(options: {
  folder: string
  hostFolder: string
  stopCommand: StopCommand
  pidFiles: PidFiles
  /** keepalived's `-i`; null: none. */
  configId: string | null
  processors: 'own' | 'common'
}): void {
  const files = pidFilesOf[options.pidFiles]
  const configured: Readonly<Record<StopCommand, string>> = {
    works: stopScript(files),
    fails: failingStopScript,
    hangs: hangingStopScript,
    'kills its agent': killingStopScript(files),
  }
  const texts: readonly (readonly [string, string])[] = [
    [
      scripts.start,
      startScript(options.hostFolder, files, {
        before: options.processors === 'own' ? `${promptly}; ` : '',
        configId: options.configId,
      }),
    ],
    [scripts.stop, stopScript(files)],
    [scripts.reload, reloadScript(files)],
    [scripts.configuredStop, configured[options.stopCommand]],
    [scripts.signal, signalScript],
  ]
  for (const [name, text] of texts) {
    const path = join(options.folder, name)
    writeFileSync(path, text)
    chmodSync(path, 0o755)
  }
}

/** What goes into agent.yaml. */
export function serviceCommands(hostName: string): { start: string[]; stop: string[] } {
  return {
    start: ['sh', `${labMount}/${hostName}/${scripts.start}`],
    stop: ['sh', `${labMount}/${hostName}/${scripts.configuredStop}`],
  }
}

/** The admin's `systemctl start keepalived`. */
export async function startKeepalived(host: NamespaceHost): Promise<void> {
  await host.run('sh', `${labMount}/${host.name}/${scripts.start}`)
}

/** The admin's `systemctl stop keepalived`. */
export async function stopKeepalived(host: NamespaceHost): Promise<void> {
  await host.run('sh', `${labMount}/${host.name}/${scripts.stop}`)
}

/** The admin's `systemctl reload keepalived`. */
export async function reloadKeepalived(host: NamespaceHost): Promise<void> {
  await host.run('sh', `${labMount}/${host.name}/${scripts.reload}`)
}

/** A signal to all of keepalived's processes at once. */
export async function signalKeepalived(host: NamespaceHost, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  await host.run('sh', `${labMount}/${host.name}/${scripts.signal}`, signal)
}

/** Whether keepalived has a process on the host; stopped processes count. */
export async function keepalivedRuns(host: NamespaceHost): Promise<boolean> {
  const { stdout } = await host.tryRun('sh', '-c', 'cat /proc/[0-9]*/comm | grep -c "^keepalived"')
  return Number(stdout) > 0
}
