/** What V8 may do with compiled functions in a daemon that mostly waits. */
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps code that was compiled once. V8 discards the code of functions that have not run during a few garbage
 * collections, and an idle daemon is collected most in its first quiet minute. The fence, which
 * agent/fence/rehearsal.ts runs through at the start, would then be compiled again at the one moment that counts, and
 * heartbeats would run in slow, unoptimised code. Called first in main.ts files; costs some hundred KiB.
 */
export function keepCompiledCode(): void {
  setFlagsFromString('--no-flush-bytecode')
}
