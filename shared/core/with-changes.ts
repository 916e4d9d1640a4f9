/**
 * A state with some fields changed. Most events change nothing, so the state itself is returned if each field has its
 * new value already: copying a large state costs more than deciding.
 */
export function withChanges<State extends object>(state: State, changes: Partial<State>): State {
  for (const field in changes) if (changes[field] !== state[field]) return { ...state, ...changes }
  return state
}
