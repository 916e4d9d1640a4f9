/** Something that the admin can put right; the message says what. */
export class JoinError extends Error {
  readonly code = 'join'
}
