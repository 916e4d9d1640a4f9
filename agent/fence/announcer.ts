/**
 * Sends gratuitous ARP again for VIPs that this node holds, so that switches and clients follow it. keepalived itself
 * sends nothing after a rival has released the VIP, and clients would stay with the rival (keepalived issues #166,
 * #1884, #1528).
 */
import { accessSync, constants } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { runCommand } from '../../shared/host/command.ts'
import { TokenBucket } from '../../shared/network/token-bucket.ts'
import { held, type KernelAddress } from '../keepalived/kernel-addresses.ts'
import type { Vip } from '../keepalived/vip.ts'
import type { Announcement } from './announcement-queue.ts'

/** Makes the command that announces `address` on `device`; null: this host has no program for it. */
export type AnnounceCommand = (at: { address: string; device: string }) => readonly string[] | null

export interface AnnouncerOptions {
  readonly glance: () => KernelAddress[]
  readonly command: AnnounceCommand
  readonly send: (announcements: readonly Announcement[]) => void
  readonly monotonicMs: () => number
  readonly problem: (what: string, text: string) => void
}

/** Several times, because a frame may be lost. The last ones come when switches have settled. */
const burstAtMs = [100, 1000, 3000] as const

/**
 * For each instance. Whoever can send adverts on the segment makes a holder announce its VIPs with each of them. Three at
 * once, because a rival may come and go within milliseconds.
 */
const pace = { perSecond: 1, burst: 3 } as const
/** When an announcement that came too soon is tried again. */
const againMs = 1000

interface Burst {
  readonly timers: Set<NodeJS.Timeout>
  readonly pace: TokenBucket
}

export class Announcer {
  readonly #options: AnnouncerOptions
  readonly #bursts = new Map<string, Burst>()

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** Sends now and a few times more, at the pace of the instance. A burst that is still running is restarted. */
  announce(instance: string, vips: readonly Vip[]): void {
    const burst = this.#burstOf(instance)
    stop(burst)
    this.#sendInTime(burst, vips)
    for (const delayMs of burstAtMs) this.#later(burst, delayMs, vips)
  }

  close(): void {
    for (const burst of this.#bursts.values()) stop(burst)
    this.#bursts.clear()
  }

  #burstOf(instance: string): Burst {
    let burst = this.#bursts.get(instance)
    if (burst === undefined) {
      burst = { timers: new Set(), pace: new TokenBucket(pace, this.#options.monotonicMs) }
      this.#bursts.set(instance, burst)
    }
    return burst
  }

  #later(burst: Burst, delayMs: number, vips: readonly Vip[]): void {
    const timer = setTimeout(() => {
      burst.timers.delete(timer)
      this.#sendInTime(burst, vips)
    }, delayMs)
    burst.timers.add(timer)
  }

  #sendInTime(burst: Burst, vips: readonly Vip[]): void {
    if (burst.pace.take()) this.#send(vips)
    else this.#later(burst, againMs, vips)
  }

  /** Announces only what the kernel has at this moment, because a VIP that is gone must not be announced. */
  #send(vips: readonly Vip[]): void {
    const announcements: Announcement[] = []
    for (const { address, device } of held(this.#options.glance(), vips)) {
      const argv = this.#options.command({ address, device })
      if (argv !== null) announcements.push(argv)
      else if (isIPv6(address))
        this.#options.problem(
          'no-ndp-program',
          `${address} cannot be announced, because neither ndsend nor ndptool is installed; install one of them, or set vrrp_garp_master_refresh in keepalived.conf so that keepalived announces it`,
        )
      else
        this.#options.problem(
          'no-arping',
          `${address} cannot be announced after a split brain, because arping is not installed; install iputils-arping`,
        )
    }
    if (announcements.length > 0) this.#options.send(announcements)
  }
}

function stop({ timers }: Burst): void {
  for (const timer of timers) clearTimeout(timer)
  timers.clear()
}

/** Finds out which programs this host has. Two different ones are called arping. */
export async function findAnnounceCommand(): Promise<AnnounceCommand> {
  const arping = await findArping()
  const ndsend = hasProgram('ndsend')
  const ndptool = hasProgram('ndptool')
  return ({ address, device }) => {
    if (!isIPv6(address)) return arping?.(address, device) ?? null
    if (ndsend) return ['ndsend', address, device]
    if (ndptool) return ['ndptool', '-t', 'na', '-U', '-i', device, '-T', address, 'send']
    return null
  }
}

async function findArping(): Promise<((address: string, device: string) => string[]) | null> {
  if (!hasProgram('arping')) return null
  const { stdout, stderr } = await runCommand(['arping', '-V'], { timeoutMs: 2000 })
  if (/iputils/i.test(stdout + stderr))
    return (address, device) => ['arping', '-U', '-q', '-c', '1', '-I', device, address]
  // Thomas Habets' arping names the interface with -i and wants the source spelled out.
  return (address, device) => ['arping', '-U', '-q', '-c', '1', '-i', device, '-S', address, address]
}

function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
