/** Ends an exhaustive `switch`: the compiler proves that no case is left, and a lie at run time ends the process. */
export function assertNever(value: never): never {
  throw new Error(`no such case: ${JSON.stringify(value)}`)
}
