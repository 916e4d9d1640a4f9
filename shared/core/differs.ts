/**
 * Whether `changes` gives the state a field that it does not have yet. Most events change nothing, and to copy a large
 * state costs more than to decide.
 */
export function differs<State extends object>(state: State, changes: Partial<State>): boolean {
  for (const field in changes) if (changes[field] !== state[field]) return true
  return false
}
