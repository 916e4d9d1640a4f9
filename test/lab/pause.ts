import { setTimeout as wait } from 'node:timers/promises'

/** The lab works in real time, because it waits for real keepalived. */
export async function pause(durationMs: number): Promise<void> {
  await wait(durationMs)
}

/** Waits until a time of the wall clock. */
export async function pauseUntil(atMs: number): Promise<void> {
  const leftMs = atMs - Date.now()
  if (leftMs > 0) await wait(leftMs)
}

/**
 * Asks repeatedly until the answer is not null.
 * @throws Error that says what was awaited, if `withinMs` passes first.
 */
export async function until<T>(
  awaited: string,
  options: { withinMs: number; everyMs: number },
  ask: () => Promise<T | null>,
): Promise<T> {
  const deadlineMs = Date.now() + options.withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (Date.now() > deadlineMs)
      throw new Error(`this did not happen within ${options.withinMs} ms: ${awaited}`)
    await wait(options.everyMs)
  }
}
