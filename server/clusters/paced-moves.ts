/**
 * Where a node's peer reaches it, as its agent reports. Each change costs a write to disk and a new plan for the peer.
 * So the first change takes effect at once, and of those that follow soon only the newest does, later.
 */
export interface Move {
  readonly node: string
  readonly address: string
  readonly port: number
}

export const moveEveryMs = 10_000

export class PacedMoves {
  readonly #apply: (move: Move) => void
  readonly #pauses = new Map<string, { timer: NodeJS.Timeout; next: Move | null }>()

  constructor(apply: (move: Move) => void) {
    this.#apply = apply
  }

  take(move: Move): void {
    const pause = this.#pauses.get(move.node)
    if (pause === undefined) this.#applyNow(move)
    else pause.next = move
  }

  close(): void {
    for (const { timer } of this.#pauses.values()) clearTimeout(timer)
    this.#pauses.clear()
  }

  #applyNow(move: Move): void {
    this.#pauses.set(move.node, { timer: setTimeout(() => this.#goOn(move.node), moveEveryMs), next: null })
    this.#apply(move)
  }

  #goOn(node: string): void {
    const next = this.#pauses.get(node)?.next ?? null
    this.#pauses.delete(node)
    if (next !== null) this.#applyNow(next)
  }
}
