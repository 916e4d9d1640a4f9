/**
 * Somebody who has the node's certificate and is not the node that it says it is: a clone of a host without the VIP, or one that says again
 * what an agent said before. It speaks to the voters from a host of its own.
 */
import { assertNever } from '../../../shared/assert-never.ts'
import type { Beat, FromAgent, Hello } from '../../../shared/protocol/messages.ts'
import type { Chance } from '../world/chance.ts'
import { Host, Program } from '../world/host.ts'
import { dial, type Network, type StreamEnd } from '../world/network.ts'
import type { NodeHost } from '../programs/node-host.ts'
import type { WitnessHost } from '../programs/witness-host.ts'
import type { Witnessing } from '../watch/witnessing.ts'

/** Messages of one agent to one voter, newest last. */
export class Tape {
  readonly #beats: { readonly hello: Hello; readonly beat: Beat }[] = []

  note(hello: Hello, beat: Beat): void {
    this.#beats.push({ hello, beat })
    if (this.#beats.length > kept) this.#beats.shift()
  }

  /** A piece of it: a hello and some beats of the same start. */
  piece(chance: Chance): FromAgent[] {
    const first = chance.integer(0, this.#beats.length - 1)
    const { hello } = this.#beats[first] ?? {}
    if (hello === undefined) return []
    const beats = this.#beats.slice(first, first + chance.integer(1, 4))
    return [
      hello,
      ...beats.filter((said) => said.hello.incarnation === hello.incarnation).map(({ beat }) => beat),
    ]
  }
}

const kept = 300
const beatMs = 400
const redialMs = 250

export interface StrangerSetting {
  readonly as: NodeHost
  readonly how: 'clone' | 'replay'
  readonly network: Network
  readonly chance: Chance
  readonly witness: WitnessHost
  readonly witnessing: Witnessing
}

export class Stranger {
  readonly #setting: StrangerSetting
  readonly #program: Program
  readonly #streams = new Set<StreamEnd>()
  #seq = 0

  constructor(setting: StrangerSetting) {
    const { network, chance } = setting
    this.#setting = setting
    const host = new Host('stranger', network.timeline, { ratePpm: 0, uptimeMs: 50_000 })
    this.#program = new Program(host, chance)
    this.#dial('witness')
    // Not a clone: one that reaches the peer where the node itself does not, or first after a restart of the peer's agent, is
    // the node for that agent (docs/safety.md, "What is left").
    if (setting.how === 'replay') this.#dial('peer')
  }

  leave(): void {
    this.#program.end()
    for (const stream of this.#streams) stream.abandon()
  }

  #dial(whom: 'witness' | 'peer'): void {
    const { network, witness: witnessHost, as } = this.#setting
    const peer = as.around.peer()
    dial(network, {
      from: this.#program,
      to: whom === 'witness' ? witnessHost.host : peer.host,
      acceptor: () => {
        if (whom === 'witness') return witnessHost.daemon
        return peer.agent?.listening === true ? peer.agent : null
      },
      timeoutMs: 500,
      opened: (stream) => this.#begin(whom, stream),
      failed: () => this.#redial(whom),
    })
  }

  #redial(whom: 'witness' | 'peer'): void {
    this.#program.after(redialMs, () => this.#dial(whom))
  }

  #begin(whom: 'witness' | 'peer', stream: StreamEnd): void {
    const { how, witnessing, as, chance } = this.#setting
    this.#streams.add(stream)
    let echoMs: number | null = null
    stream.listen({
      message: (data) => {
        const message = witnessing.fromVoter(data)
        if (message.type === 'answer') echoMs = message.atMs
      },
      closed: () => {
        this.#streams.delete(stream)
        if (how === 'clone') this.#redial(whom)
      },
    })
    switch (how) {
      case 'replay':
        for (const message of as.tapes[whom].piece(chance)) stream.send(message)
        return
      case 'clone':
        this.#speak(stream, () => echoMs)
        return
      default:
        assertNever(how)
    }
  }

  /** As the agent of a clone does, on which keepalived does not run. */
  #speak(stream: StreamEnd, echoMs: () => number | null): void {
    const { agent } = this.#setting.as
    const hello = agent?.hello()
    if (hello === undefined) return stream.close()
    stream.send({ ...hello, incarnation: 'clone-start-1', bootId: 'clone-boot-1' })
    const beat = (): void => {
      if (!stream.open) return
      this.#seq += 1
      const report = this.#setting.as.agent?.report()
      if (report != null)
        stream.send({
          type: 'beat',
          seq: this.#seq,
          echoMs: echoMs(),
          leaseMs: this.#setting.as.around.timing.leaseMs,
          reports: [
            {
              ...report,
              phase: 'standby',
              why: 'a clone',
              keepalived: 'STOP',
              process: 'absent',
              vips: 'gone',
              ask: null,
              release: true,
              witnessEpoch: 0,
              fence: null,
            },
          ],
        })
      this.#program.after(beatMs, beat)
    }
    this.#program.after(1, beat)
  }
}

export interface Tapes {
  readonly witness: Tape
  readonly peer: Tape
}
