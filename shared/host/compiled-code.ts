/** What V8 may do with compiled functions in a daemon that mostly waits. */
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps what was compiled once. V8 throws away the code of functions that did not run between a few collections, and a
 * daemon in which nothing happens is collected most in its first quiet minute: the fence would be compiled anew in the
 * one moment that counts (agent/rehearsal.ts goes through it at start), and heartbeats go on in slow, unoptimised code.
 * Called first in main.ts files; costs some hundred KiB.
 */
export function keepCompiledCode(): void {
  setFlagsFromString('--no-flush-bytecode')
}
