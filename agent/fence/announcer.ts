/**
 * Sends gratuitous ARP again for VIPs that this node holds, so that switches and clients follow it. keepalived itself
 * sends nothing after a rival has released the VIP, and clients would stay with the rival (keepalived issues #166,
 * #1884, #1528).
 */
import { accessSync, constants } from 'node:fs'
import { spawn } from 'node:child_process'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { runCommand } from '../../shared/host/command.ts'
import { held, type KernelAddress } from '../keepalived/kernel-addresses.ts'
import type { Vip } from '../keepalived/vip.ts'

/** Makes the command that announces `address` on `device`; null: this host has no program for it. */
export type AnnounceCommand = (at: { address: string; device: string }) => readonly string[] | null

export interface AnnouncerOptions {
  readonly glance: () => KernelAddress[]
  readonly command: AnnounceCommand
  readonly send: (argv: readonly string[]) => void
  readonly problem: (what: string, text: string) => void
}

/** Several times, because a frame may be lost. The last ones come when switches have settled. */
const burstAtMs = [0, 100, 1000, 3000] as const

export class Announcer {
  readonly #options: AnnouncerOptions
  readonly #bursts = new Map<string, NodeJS.Timeout[]>()

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** Sends now and a few times more. A burst that is still running is restarted. */
  announce(instance: string, vips: readonly Vip[]): void {
    this.cancel(instance)
    const [, ...later] = burstAtMs
    this.#send(vips)
    this.#bursts.set(
      instance,
      later.map((delayMs) => setTimeout(() => this.#send(vips), delayMs)),
    )
  }

  /** Ends the burst of this instance. */
  cancel(instance: string): void {
    for (const timer of this.#bursts.get(instance) ?? []) clearTimeout(timer)
    this.#bursts.delete(instance)
  }

  close(): void {
    for (const instance of [...this.#bursts.keys()]) this.cancel(instance)
  }

  /** Announces only what the kernel has at this moment, because a VIP that is gone must not be announced. */
  #send(vips: readonly Vip[]): void {
    for (const { address, device } of held(this.#options.glance(), vips)) {
      const argv = this.#options.command({ address, device })
      if (argv !== null) this.#options.send(argv)
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
  }
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

/** Starts the program and does not wait for it, because arping stays for a second after it has sent. */
export function sendAnnouncement(argv: readonly string[]): void {
  const [file, ...args] = argv
  if (file === undefined) return
  const child = spawn(file, args, { stdio: 'ignore' })
  // A frame that was not sent is sent again by the burst.
  child.on('error', () => undefined)
  child.unref()
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
