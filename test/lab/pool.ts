/** Runs jobs in parallel, at most `width` at the same time, started in their order. */
export class Pool {
  #free: number
  readonly #queue: (() => void)[] = []

  constructor(width: number) {
    this.#free = width
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      return await job()
    } finally {
      const next = this.#queue.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
