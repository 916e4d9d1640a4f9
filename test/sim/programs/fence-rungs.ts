/**
 * What the agent's commands do on a simulated node: stop, kill, start, the question for adverts; as
 * agent/fence/rungs.ts does. A stop or start that was ordered continues if its agent dies (KillMode=process of its
 * unit; systemd).
 */
import type { GuardEffect } from '../../../agent/core/guard/guard.ts'
import type { Program } from '../world/host.ts'
import type { NodeHost } from './node-host.ts'

const systemctlMs = { least: 2, most: 8 }
const stopTimeoutMs = 10_000
const killMs = { least: 4, most: 12 }
const systemctlStartMs = { least: 20, most: 80 }
const startTimeoutMs = 15_000
const dumpMs = { least: 4, most: 40 }
const pollMs = 20

export class SimulatedFenceRungs {
  readonly #node: NodeHost
  readonly #program: Program

  constructor(node: NodeHost, program: Program) {
    this.#node = node
    this.#program = program
  }

  carryOut({ rung, spares }: GuardEffect & { type: 'fence' }, done: (error: string | null) => void): void {
    switch (rung) {
      case 'stop':
        return this.#stop(done)
      case 'kill':
        return this.#kill({ spares: spares === true }, done)
      case 'last-resort':
        return this.#later(killMs, () => {
          done(null)
          this.#node.powerOff()
        })
    }
  }

  start(done: (error: string | null) => void): void {
    this.#command(systemctlStartMs, () => {
      this.#node.startKeepalived()
      this.#awaitStart(this.#node.host.timeline.nowMs + startTimeoutMs, done)
    })
  }

  countAdverts(done: (received: number | null) => void): void {
    const { keepalived } = this.#node
    this.#later(dumpMs, () => done(keepalived.process === 'running' ? keepalived.advertsReceived : null))
  }

  #stop(done: (error: string | null) => void): void {
    const node = this.#node
    if (node.commandCondition === 'stop-fails')
      return this.#later(systemctlMs, () => done('the stop command ended with exit code 1'))
    if (node.commandCondition !== 'well')
      return void this.#program.after(stopTimeoutMs, () => done('the stop command was killed after 10 s'))
    this.#command(systemctlMs, () => {
      node.terminateKeepalived()
      this.#awaitEnd(node.host.timeline.nowMs + stopTimeoutMs, done)
    })
  }

  /** `systemctl start` waits for a stop that is under way. */
  #awaitStart(deadlineMs: number, done: (error: string | null) => void): void {
    const { isEnding, host } = this.#node
    if (!isEnding) return this.#program.take(() => done(null))
    if (host.timeline.nowMs >= deadlineMs)
      return this.#program.take(() => done('the start command was killed after 15 s'))
    this.#program.after(pollMs, () => this.#awaitStart(deadlineMs, done))
  }

  /** `systemctl stop` returns when the process is gone. */
  #awaitEnd(deadlineMs: number, done: (error: string | null) => void): void {
    const { keepalived, host } = this.#node
    if (keepalived.process === 'absent') return this.#program.take(() => done(null))
    if (host.timeline.nowMs >= deadlineMs)
      return this.#program.take(() => done('the stop command was killed after 10 s'))
    this.#program.after(pollMs, () => this.#awaitEnd(deadlineMs, done))
  }

  #kill({ spares }: { readonly spares: boolean }, done: (error: string | null) => void): void {
    const node = this.#node
    if (spares && node.keepalived.process !== 'absent') return this.#later(killMs, () => done(null))
    if (node.commandCondition === 'nothing-helps')
      return this.#later(killMs, () => done('keepalived cannot be killed'))
    node.killKeepalived()
    this.#later(killMs, () => {
      node.deleteVip()
      done(null)
    })
  }

  /** Runs a command as a separate process. */
  #command(tookMs: { least: number; most: number }, run: () => void): void {
    const { commands, around } = this.#node
    commands.after(around.chance.between(tookMs.least, tookMs.most), run)
  }

  #later(tookMs: { least: number; most: number }, run: () => void): void {
    this.#program.after(this.#node.around.chance.between(tookMs.least, tookMs.most), run)
  }
}
