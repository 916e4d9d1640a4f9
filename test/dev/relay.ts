/** A path between two programs that can be cut, as a firewall cuts it: nothing is refused, and nothing arrives. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface RelayPath {
  /** Where it is dialled. */
  readonly at: string
  readonly to: string
  /** Whose call it is; the program at the end sees this address. */
  readonly from: string
  /** The same on both sides, because an agent tells others its own port. 0: one that is free. */
  readonly port: number
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class Relay {
  readonly #server: Server
  readonly #path: RelayPath
  readonly #pairs = new Set<Pair>()
  /** Dialled while the path was cut: they wait for an answer. */
  readonly #waiting = new Set<Socket>()
  #isCut = false

  private constructor(path: RelayPath) {
    this.#path = path
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#take(near))
  }

  static async listen(path: RelayPath): Promise<Relay> {
    const relay = new Relay(path)
    relay.#server.listen(path.port, path.at)
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** What is sent from now on waits. */
  cut(): void {
    this.#isCut = true
    for (const { near, far } of this.#pairs) {
      near.unpipe(far).pause()
      far.unpipe(near).pause()
    }
  }

  heal(): void {
    this.#isCut = false
    for (const near of this.#waiting) near.destroy()
    for (const pair of this.#pairs) this.#join(pair)
  }

  close(): void {
    this.#server.close()
    for (const socket of [...this.#waiting, ...[...this.#pairs].flatMap(({ near, far }) => [near, far])])
      socket.destroy()
  }

  #take(near: Socket): void {
    near.on('error', () => near.destroy())
    if (this.#isCut) {
      this.#waiting.add(near)
      near.on('close', () => this.#waiting.delete(near))
      return
    }
    const far = connect({ host: this.#path.to, port: this.port, localAddress: this.#path.from })
    const pair = { near, far }
    this.#pairs.add(pair)
    far.on('error', () => far.destroy())
    for (const socket of [near, far]) socket.on('close', () => this.#end(pair))
    this.#join(pair)
  }

  #join(pair: Pair): void {
    const { near, far } = pair
    if (near.destroyed || far.destroyed) return this.#end(pair)
    near.pipe(far)
    far.pipe(near)
  }

  /** Through a cut path nobody learns that the other side has gone. */
  #end(pair: Pair): void {
    if (this.#isCut) return
    this.#pairs.delete(pair)
    pair.near.destroy()
    pair.far.destroy()
  }
}
