import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Long enough for a close that came at the same time to be noticed. */
const settleMs = 20

/** A path between two programs that can be interrupted: in between, what is sent waits. */
export class StallingProxy {
  /** New connections are taken, and nobody answers on them. */
  mute = false
  accepted = 0
  /** Connections that the dialling side ended with a reset. */
  resets = 0
  mostOpen = 0
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(targetPort: number) {
    this.#server = createServer((near) => this.#take(near, targetPort))
  }

  static async before(targetPort: number): Promise<StallingProxy> {
    const proxy = new StallingProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get open(): number {
    return this.#open.size
  }

  /** What is open now stands still: the kernels keep what is sent. */
  stall(): void {
    for (const near of this.#open) near.pause()
  }

  goOn(): void {
    for (const near of this.#open) near.resume()
  }

  close(): void {
    this.#server.close()
    for (const near of this.#open) near.destroy()
  }

  #take(near: Socket, targetPort: number): void {
    this.accepted += 1
    this.#open.add(near)
    setTimeout(() => (this.mostOpen = Math.max(this.mostOpen, this.#open.size)), settleMs).unref()
    near.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') this.resets += 1
    })
    near.on('close', () => this.#open.delete(near))
    if (this.mute) {
      near.resume()
      return
    }
    const far = connect(targetPort, '127.0.0.1')
    far.on('error', () => near.destroy())
    far.on('data', (data) => near.write(data))
    far.on('end', () => near.end())
    near.on('data', (data) => far.write(data))
    near.on('end', () => far.end())
    near.on('close', () => far.end())
  }
}
