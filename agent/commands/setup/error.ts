/** What keeps setup from doing what it was asked; nothing was changed then. The message says what to do. */
export class SetupError extends Error {
  readonly code = 'setup'
}
