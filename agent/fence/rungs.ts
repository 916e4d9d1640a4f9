/**
 * Carries out the rungs of the fence ladder after the bar, and the start after a fence. It reports how each command
 * ended. Whether the VIP is gone is proved elsewhere (keepalived/observer.ts), never concluded from this.
 */
import { runCommand } from '../../shared/host/command.ts'
import type { KeepalivedPlaces } from '../keepalived/places.ts'
import { killKeepalived, lookAtKeepalived } from '../keepalived/process.ts'
import { glanceAtAddresses, held, listAddresses, type KernelAddress } from '../keepalived/kernel-addresses.ts'
import type { Vip } from '../keepalived/vip.ts'

export interface FenceRungsOptions {
  readonly stopCommand: readonly string[]
  readonly startCommand: readonly string[]
  readonly lastResortCommand: readonly string[] | null
  readonly places: () => KeepalivedPlaces
}

/** Longer than keepalived needs to stop (about a second); a command that hangs longer is killed. */
const stopTimeoutMs = 10_000
const startTimeoutMs = 15_000
const lastResortTimeoutMs = 10_000
const addressTimeoutMs = 1000
/** SIGKILL takes effect at once, except that a process first finishes what it is doing in the kernel. */
const dyingMs = 50

export class FenceRungs {
  readonly #options: FenceRungsOptions
  readonly #pauseMs: (durationMs: number) => Promise<void>
  #stopping: Promise<string | null> | null = null
  #starting: Promise<string | null> | null = null

  constructor(options: FenceRungsOptions, pauseMs: (durationMs: number) => Promise<void>) {
    this.#options = options
    this.#pauseMs = pauseMs
  }

  /** Runs the stop command; instances that ask while it runs share it. @returns what went wrong, or null. */
  stop(): Promise<string | null> {
    this.#stopping ??= run(this.#options.stopCommand, stopTimeoutMs).finally(() => (this.#stopping = null))
    return this.#stopping
  }

  start(): Promise<string | null> {
    this.#starting ??= run(this.#options.startCommand, startTimeoutMs).finally(() => (this.#starting = null))
    return this.#starting
  }

  /**
   * Sends SIGKILL to keepalived, then removes its VIPs from the kernel, and no other address.
   * @param spares nobody is to be killed: if a keepalived lives by now, or may live, the VIPs are its own, and it keeps
   * them
   */
  async kill(vips: readonly Vip[], { spares }: { readonly spares: boolean }): Promise<string | null> {
    if (spares && lookAtKeepalived(this.#options.places()).state !== 'absent') return null
    const failures: string[] = []
    const unkilled = killKeepalived(this.#options.places())
    if (unkilled !== null) failures.push(unkilled)
    await this.#awaitDeath()
    // Addresses that a glance shows are removed at once. The whole list, which needs another program, then finds the
    // rest.
    await removeAddresses(held(glanceAtAddresses(), vips))
    const listed = await listAddresses()
    if ('error' in listed) return [...failures, listed.error].join('; ')
    const unremoved = await removeAddresses(held(listed.addresses, vips))
    if (unremoved !== null && (await isAnyLeft(vips))) failures.push(unremoved)
    return failures.length === 0 ? null : failures.join('; ')
  }

  lastResort(): Promise<string | null> {
    const { lastResortCommand } = this.#options
    if (lastResortCommand === null) return Promise.resolve('no lastResortCommand is configured')
    return run(lastResortCommand, lastResortTimeoutMs)
  }

  async #awaitDeath(): Promise<void> {
    for (let waitedMs = 0; waitedMs < dyingMs; waitedMs += 2) {
      if (lookAtKeepalived(this.#options.places()).vrrpPid === null) return
      await this.#pauseMs(2)
    }
  }
}

async function run(command: readonly string[], timeoutMs: number): Promise<string | null> {
  return (await runCommand(command, { timeoutMs })).error
}

/**
 * One program for all of them, because a node may have hundreds, and its unit may not start hundreds of programs.
 * @returns what went wrong first, or null
 */
async function removeAddresses(addresses: readonly KernelAddress[]): Promise<string | null> {
  if (addresses.length === 0) return null
  const removals = addresses.map(removalOf)
  const { error, stderr } = await runCommand(['ip', '-force', '-batch', '-'], {
    timeoutMs: addressTimeoutMs,
    input: `${removals.join('\n')}\n`,
  })
  if (error === null) return null
  // ip names the line only after what went wrong with it.
  const [said = ''] = stderr.split('\n')
  const row = Number(/^Command failed -:(\d+)/m.exec(stderr)?.[1] ?? 1)
  return `"ip ${removals[row - 1] ?? 'addr del'}": ${said === '' ? error : said}`
}

/** With the first address of a network the kernel removes the others of it, which are then not found any more. */
async function isAnyLeft(vips: readonly Vip[]): Promise<boolean> {
  const listed = await listAddresses()
  return 'error' in listed || held(listed.addresses, vips).length > 0
}

/** The kernel finds a point-to-point address only together with its peer, which has the prefix. */
function removalOf({ address, prefixLength, device, peer }: KernelAddress): string {
  const whole = peer === null ? `${address}/${prefixLength}` : `${address} peer ${peer}/${prefixLength}`
  return `addr del ${whole} dev ${device}`
}
