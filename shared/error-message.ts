/** What was thrown, in the words that it brings: for operators, and for the other side of a connection. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
