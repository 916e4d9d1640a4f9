/**
 * A host of the lab: one anonymous set of namespaces (network, mounts, names, processes) with an init of its own. The
 * init ends when its standard input ends, so the hosts end with their runner, however it dies. Whatever ran inside dies
 * with the init, and the namespaces end with the last process. Nothing has a name under `ip netns`.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { command, tryCommand, type CommandResult } from './command.ts'

/** Where a host sees the lab's folder, even though it has a /tmp of its own. */
export const labMount = '/run/lab'
/** Where a host sees the built programs. */
export const productMount = '/run/product'

/**
 * Private /run and /tmp let two keepalived use the same pid files and the same dump file. A boot id of its own makes
 * each boot of the host distinguishable. The init reaps orphaned processes, which `wait` does.
 */
const initScript = `
set -e
umask 022
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p ${labMount} ${productMount} /run/boot
mount --bind "$LAB_FOLDER" ${labMount}
[ -z "$PRODUCT_FOLDER" ] || mount --bind "$PRODUCT_FOLDER" ${productMount}
mount -t tmpfs -o mode=1777 tmpfs /tmp
cat /proc/sys/kernel/random/uuid > /run/boot/id
mount --bind /run/boot/id /proc/sys/kernel/random/boot_id
echo "$HOST_NAME" > /proc/sys/kernel/hostname
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || true
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 || true
echo 0 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
exec 3<&0
cat <&3 >/dev/null &
life=$!
echo ready
set +e
while kill -0 $life 2>/dev/null; do wait $life; done
`

const running = new Set<NamespaceHost>()
process.on('exit', () => {
  for (const host of running) host.kill()
})

interface Daemon {
  readonly name: string
  readonly log: string
  readonly command: readonly string[]
}

/**
 * In a shell: as if the process had a processor of its own. Where the kernel shares the processors between sessions (autogroup), the
 * niceness of a process counts only within its session, so both are set.
 */
export const promptly =
  'echo -15 2>/dev/null >/proc/self/autogroup || true; renice -n -15 -p $$ >/dev/null 2>&1 || true'

export interface HostOptions {
  readonly name: string
  /** Seen inside as `labMount`. */
  readonly labFolder: string
  /** Seen inside as `productMount`; null: there is none. */
  readonly productFolder: string | null
}

export class NamespaceHost {
  readonly name: string
  /** The init's process id on the real machine; what `nsenter -t` wants. */
  readonly initPid: number
  readonly #parent: ChildProcess
  readonly #gone: Promise<unknown>

  private constructor(name: string, initPid: number, parent: ChildProcess) {
    this.name = name
    this.initPid = initPid
    this.#parent = parent
    this.#gone = parent.exitCode === null ? once(parent, 'exit') : Promise.resolve()
    running.add(this)
  }

  static async boot(options: HostOptions): Promise<NamespaceHost> {
    const parent = spawn(
      'unshare',
      [
        ...['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'],
        ...['bash', '-c', initScript],
      ],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: {
          ...process.env,
          LAB_FOLDER: options.labFolder,
          PRODUCT_FOLDER: options.productFolder ?? '',
          HOST_NAME: options.name,
        },
      },
    )
    parent.stdin.on('error', () => undefined)
    let complaint = ''
    parent.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
    const answers = createInterface(parent.stdout)
    const first = await Promise.race([
      once(answers, 'line').then(([line]: unknown[]) => line),
      once(parent, 'exit').then(() => 'exit'),
      once(parent, 'error').then(([error]: unknown[]) => String(error)),
    ])
    if (first !== 'ready')
      throw new Error(
        `host ${options.name} did not boot (${String(first)}): ${complaint.trim()}; ` +
          'the lab needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: --privileged)',
      )
    return new NamespaceHost(options.name, initOf(parent), parent)
  }

  /** Runs a program inside. @throws CommandError when it exits non-zero. */
  async run(program: string, ...args: string[]): Promise<string> {
    return command('nsenter', this.#inside(program, args))
  }

  async tryRun(program: string, ...args: string[]): Promise<CommandResult> {
    return tryCommand('nsenter', this.#inside(program, args))
  }

  /** Runs a shell script inside, read from standard input. */
  async shell(script: string): Promise<string> {
    return command('nsenter', this.#inside('sh', ['-e']), { input: script })
  }

  /** nft rules inside. */
  async nft(rules: string): Promise<void> {
    await command('nsenter', this.#inside('nft', ['-f', '-']), { input: rules })
  }

  /** A program inside whose output the lab reads; it ends with the host. */
  stream(program: string, ...args: string[]): ChildProcess {
    const child = spawn('nsenter', this.#inside(program, args), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TZ: 'UTC' },
    })
    return child
  }

  /**
   * Starts a daemon of the host: it writes to `log`, and its process id inside the host is in /run/`name`.pid.
   * @param share `own`: as if no other lab and no client needed a processor
   */
  async daemon(options: Daemon, share: 'own' | 'common' = 'common'): Promise<void> {
    await this.#detach(options, share === 'own' ? `${promptly};` : '')
  }

  /** Kills a daemon with SIGKILL and starts it again, as systemd does; it need not wait for a processor. */
  async restart(options: Daemon, { afterMs }: { afterMs: number }): Promise<void> {
    await this.#detach(
      options,
      `${promptly}; kill -KILL "$(cat /run/${options.name}.pid)"; sleep ${afterMs / 1000};`,
    )
  }

  async #detach({ name, log, command: words }: Daemon, first: string): Promise<void> {
    const quoted = words.map((word) => `'${word}'`).join(' ')
    await this.shell(
      `setsid -f sh -c '${first} echo $$ > /run/${name}.pid; exec "$@"' sh ${quoted} </dev/null >>${log} 2>&1`,
    )
  }

  /** Sends a signal to a daemon of this host; nothing happens if it is not running. */
  async signal(daemon: string, signal: 'TERM' | 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    await this.shell(`kill -${signal} "$(cat /run/${daemon}.pid)" 2>/dev/null || true`)
  }

  /** False once its init has ended, for whatever reason. */
  get isAlive(): boolean {
    return this.#parent.exitCode === null && this.#parent.signalCode === null
  }

  /** Cuts the power: every process of the host is killed at once. */
  kill(): void {
    running.delete(this)
    try {
      process.kill(this.initPid, 'SIGKILL')
    } catch {
      this.#parent.kill('SIGKILL')
    }
  }

  /** Cuts the power and waits until the host is gone. */
  async end(): Promise<void> {
    this.kill()
    await this.#gone
  }

  #inside(program: string, args: readonly string[]): string[] {
    // The folder for temporary files is the host's own /tmp, whatever it is outside.
    return ['-t', String(this.initPid), '-a', '--', 'env', '-u', 'TMPDIR', program, ...args]
  }
}

function initOf(parent: ChildProcess): number {
  const pid = parent.pid ?? 0
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  if (!(child > 0)) throw new Error(`unshare (process ${pid}) has no child`)
  return child
}
