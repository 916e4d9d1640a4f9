/** Waits for what another process or socket does, and fails with words when it does not come. */
export async function eventually(what: string, isSo: () => boolean, withinMs = 5000): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`did not come within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
