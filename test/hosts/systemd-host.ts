/**
 * A booted host: systemd with everything it starts, in a systemd-nspawn container. Its case is a host of the lab
 * (../lab/namespace-host.ts), which holds the network card and the disk: these outlive a reboot and a loss of power. It
 * ends with the runner, however the runner ends, together with everything that ran or was mounted in it.
 */
import { type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { command, CommandError, tryCommand, type CommandResult } from '../lab/command.ts'
import { type LabFolder } from '../lab/lab-folder.ts'
import { NamespaceHost } from '../lab/namespace-host.ts'
import { until } from '../lab/pause.ts'
import { type Switch } from '../lab/switch.ts'
import { adminUser } from './base-image.ts'
import { controlGroupName, enterControlGroup, removeControlGroup } from './control-group.ts'

/** The disk is in memory, so it can be filled, and no other test waits for it. */
const diskMiB = 512
const rootFolder = '/run/root'
const diskFolder = '/run/disk'
/** nspawn's exit code when what it runs asks for a reboot. */
const rebootCode = 133

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The journal has a disk of its own, because a full disk is a fault that must be observed. */
const diskScript = (image: string, name: string): string => `
mkdir -p ${diskFolder} ${rootFolder} /run/journal
mount -t tmpfs -o mode=755,size=${diskMiB}m tmpfs ${diskFolder}
mount -t tmpfs -o mode=755,size=128m tmpfs /run/journal
mkdir ${diskFolder}/upper ${diskFolder}/work
mount -t overlay -o lowerdir=${image},upperdir=${diskFolder}/upper,workdir=${diskFolder}/work overlay ${rootFolder}
echo ${name} > ${rootFolder}/etc/hostname
printf '127.0.0.1 localhost\\n127.0.1.1 ${name}\\n' > ${rootFolder}/etc/hosts
`

const bootScript = (name: string): string => `
${enterControlGroup(controlGroupName(name))}
exec systemd-nspawn --quiet --boot --directory=${rootFolder} --machine=${name} \\
    --network-namespace-path=/proc/self/ns/net --register=no --keep-unit \\
    --capability=CAP_NET_ADMIN,CAP_NET_RAW --resolv-conf=off --timezone=off --link-journal=no --console=pipe \\
    --bind=/run/journal:/var/log/journal 2>&1
`

export interface SystemdHostOptions {
  readonly name: string
  readonly address: string
  /** The folder that holds the root file system. */
  readonly image: string
  readonly folder: LabFolder
  readonly wires: Switch
}

interface Power {
  readonly nspawn: ChildProcess
  /** systemd's process id on the real machine. */
  readonly initPid: number
  readonly gone: Promise<number>
}

const installed = new Set<SystemdHost>()
process.on('exit', () => {
  for (const host of installed) removeControlGroup(controlGroupName(host.name))
})

export class SystemdHost {
  readonly name: string
  /** The case: it has network card and disk, but runs none of the host's processes. */
  readonly box: NamespaceHost
  readonly #options: SystemdHostOptions
  #power: Power | null = null

  private constructor(options: SystemdHostOptions, box: NamespaceHost) {
    this.name = options.name
    this.box = box
    this.#options = options
    installed.add(this)
  }

  /** A host with a fresh disk, not powered on yet. */
  static async install(options: SystemdHostOptions): Promise<SystemdHost> {
    const box = await NamespaceHost.boot({
      name: options.name,
      labFolder: options.folder.path,
      productFolder: null,
    })
    await box.shell(diskScript(options.image, options.name))
    return new SystemdHost(options, box)
  }

  get hasPower(): boolean {
    return this.#power !== null
  }

  /** Puts a file on the disk of a host that is not powered on. */
  async writeFile(path: string, content: string): Promise<void> {
    await command('nsenter', [...this.#intoBox(), 'sh', '-c', `cat > "${rootFolder}$0"`, path], {
      input: content,
    })
  }

  /** Copies a file of the real machine onto the disk, whether or not the host has power. */
  async copyIn(source: string, path: string): Promise<void> {
    await command('sh', ['-c', `cat "$0" > "/proc/${this.box.initPid}/root${rootFolder}$1"`, source, path])
  }

  /** Connects the cable and boots; returns when systemd has started everything. */
  async powerOn(): Promise<void> {
    await this.#options.wires.connect(this.box, this.#options.address)
    const nspawn = this.box.stream('sh', '-c', bootScript(this.name))
    nspawn.stdout?.pipe(
      createWriteStream(join(this.#options.folder.folder(this.name), 'console.log'), { flags: 'a' }),
    )
    const gone = once(nspawn, 'exit').then(([code]: unknown[]) => Number(code))
    const initPid = await until(`${this.name} has a systemd`, { withinMs: 20_000, everyMs: 20 }, () =>
      Promise.resolve(nspawn.exitCode === null ? initOf(nspawn) : 0),
    )
    if (initPid === 0) throw new Error(`systemd-nspawn ended; its output is in ${this.name}/console.log`)
    this.#power = { nspawn, initPid, gone }
    await until(`${this.name} has booted`, { withinMs: 60_000, everyMs: 50 }, async () => {
      const { stdout } = await this.tryRun('systemctl', 'is-system-running')
      return ['running', 'degraded'].includes(stdout.trim()) ? true : null
    })
  }

  /** Cuts the power and the cable at the same moment. The disk stays. */
  async pullPower(): Promise<void> {
    const { initPid, gone } = this.#assertPower()
    // The processes first, so that they cannot react to the loss of the carrier.
    process.kill(initPid, 'SIGKILL')
    this.#power = null
    await Promise.all([this.#options.wires.setPort(this.name, 'down'), gone])
    await this.#removeCard()
  }

  /** `systemctl reboot`, as an admin types it; returns when the host has booted again. */
  async reboot(): Promise<void> {
    const { gone } = this.#assertPower()
    await this.tryRun('systemctl', 'reboot')
    const code = await gone
    if (code !== rebootCode) throw new Error(`${this.name} did not reboot: systemd-nspawn ended with ${code}`)
    this.#power = null
    await this.#removeCard()
    await this.powerOn()
  }

  /** Runs a program inside, as root. @throws CommandError if it exits non-zero. */
  async run(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryRun(program, ...args)
    if (code !== 0)
      throw new CommandError(
        `${this.name}: ${program} ${args.join(' ')}: exit ${code}: ${(stderr || stdout).trim()}`,
      )
    return stdout
  }

  async tryRun(program: string, ...args: string[]): Promise<CommandResult> {
    return tryCommand('nsenter', [...this.#inside(), program, ...args])
  }

  /** Runs a shell script inside, as root. */
  async shell(script: string): Promise<string> {
    return command('nsenter', [...this.#inside(), 'sh', '-e'], { input: script, timeoutMs: 60_000 })
  }

  /** What the admin types at a prompt of this host, with the answers to what programs ask. */
  async type(line: string, input: string): Promise<CommandResult> {
    return tryCommand('nsenter', [...this.#inside(), 'runuser', '--login', adminUser, '--command', line], {
      input,
      timeoutMs: 120_000,
    })
  }

  /** The command that opens a shell inside. */
  get door(): string {
    return `nsenter ${this.#inside().join(' ')} TERM="$TERM" bash --login`
  }

  /** Ends everything of the host, the disk included. */
  async remove(): Promise<void> {
    this.#power = null
    await this.box.end()
    installed.delete(this)
    removeControlGroup(controlGroupName(this.name))
  }

  /** A loss of power also removes what the kernel knows of the network: addresses and firewall rules. */
  async #removeCard(): Promise<void> {
    await this.box.shell('ip link del eth0 2>/dev/null || true; nft flush ruleset')
  }

  #assertPower(): Power {
    if (this.#power === null) throw new Error(`host ${this.name} has no power`)
    return this.#power
  }

  #inside(): string[] {
    const environment = ['env', '-i', `PATH=${searchPath}`, 'HOME=/root', 'LANG=C.UTF-8', 'TERM=dumb']
    return ['-t', String(this.#assertPower().initPid), '-a', '--', ...environment]
  }

  #intoBox(): string[] {
    return ['-t', String(this.box.initPid), '-a', '--']
  }
}

/** nsenter's child is nspawn, whose child is systemd; null: not yet. */
function initOf(nsenter: ChildProcess): number | null {
  const nspawn = childrenOf(nsenter.pid ?? 0)[0]
  if (nspawn === undefined) return null
  const own = readlinkSync(`/proc/${nspawn}/ns/pid`)
  const init = childrenOf(nspawn).find(
    (pid) => readlinkSync(`/proc/${pid}/ns/pid`) !== own && commandName(pid) === 'systemd',
  )
  return init ?? null
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number)
  } catch {
    return [] // It ended in the meantime.
  }
}

function commandName(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
}
