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

  /** Sends SIGKILL to keepalived, then removes its VIPs from the kernel, and no other address. */
  async kill(vips: readonly Vip[]): Promise<string | null> {
    const failures: string[] = []
    const unkilled = killKeepalived(this.#options.places())
    if (unkilled !== null) failures.push(unkilled)
    await this.#awaitDeath()
    // Addresses that a glance shows are removed at once. The whole list, which needs another program, then finds the
    // rest.
    await Promise.all(held(glanceAtAddresses(), vips).map(removeAddress))
    const listed = await listAddresses()
    if ('error' in listed) return [...failures, listed.error].join('; ')
    const removals = await Promise.all(held(listed.addresses, vips).map(removeAddress))
    failures.push(...removals.filter((failure) => failure !== null))
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

async function removeAddress({ address, prefixLength, device }: KernelAddress): Promise<string | null> {
  const { error } = await runCommand(['ip', 'addr', 'del', `${address}/${prefixLength}`, 'dev', device], {
    timeoutMs: addressTimeoutMs,
  })
  return error
}
