/**
 * Whether the configured gateway answers, which shows the witness which of two contending nodes can reach the
 * clients.
 */
import { assertNever } from '../../shared/assert-never.ts'
import type { Echo } from '../../shared/host/icmp.ts'
import type { Gateway } from '../core/guard/guard.ts'

const intervalMs = 2000
/** A single lost echo means nothing. */
const silentEchoes = 2

export interface GatewayPingOptions {
  readonly address: string
  readonly echo: (address: string) => Promise<Echo>
  readonly onChange: (gateway: Gateway) => void
  readonly problem: (what: string, text: string) => void
}

export class GatewayPing {
  #state: Gateway = 'unknown'
  #silent = 0
  #asking = false
  readonly #timer: NodeJS.Timeout

  readonly #options: GatewayPingOptions

  constructor(options: GatewayPingOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.ask(), intervalMs)
  }

  /** Sends one echo, unless the previous one is still running. */
  async ask(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    const echo = await this.#options.echo(this.#options.address).finally(() => (this.#asking = false))
    switch (echo.kind) {
      case 'answered':
        this.#silent = 0
        this.#become('reachable')
        return
      case 'silent':
        this.#silent += 1
        if (this.#silent >= silentEchoes) this.#become('unreachable')
        return
      case 'impossible':
        this.#options.problem(
          'gateway-ping',
          `the gateway ${this.#options.address} cannot be pinged from this host: ${echo.why}`,
        )
        this.#become('unknown')
        return
      default:
        assertNever(echo)
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #become(state: Gateway): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onChange(state)
  }
}
