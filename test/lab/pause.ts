import { setTimeout as wait } from 'node:timers/promises'

/** The lab works in real time: it waits for real keepalived. */
export async function pause(durationMs: number): Promise<void> {
  await wait(durationMs)
}

/** Waits until an instant of the wall clock. */
export async function pauseUntil(atMs: number): Promise<void> {
  const leftMs = atMs - Date.now()
  if (leftMs > 0) await wait(leftMs)
}

/**
 * Asks again and again until the answer is not null.
 * @throws Error that says what was awaited, when `withinMs` passes first.
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
    if (Date.now() > deadlineMs) throw new Error(`waited ${options.withinMs} ms in vain: ${awaited}`)
    await wait(options.everyMs)
  }
}
