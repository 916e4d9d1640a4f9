/** witnessctl: hands the process's surroundings to the command. */
import { exitCodes } from './options.ts'
import { witnessctl } from './witnessctl.ts'

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())
// `witnessctl events | head` closes the pipe; that is no failure.
process.stdout.on('error', () => process.exit(0))

void witnessctl(process.argv.slice(2), {
  env: process.env,
  version: `${process.env.KEEPALIVED_WITNESS_VERSION ?? 'from source'} (Node.js ${process.versions.node})`,
  terminal: {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTty: process.stdout.isTTY,
  },
  stopped: stop.signal,
}).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(
      `witnessctl: internal fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
    process.exitCode = exitCodes.unknown
  },
)
