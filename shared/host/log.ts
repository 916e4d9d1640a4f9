/**
 * The log: JSON lines on stdout, one per decision, each with a stable `event` name, a sentence and the facts behind
 * it.
 */
import { pino } from 'pino'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

type LogMethod = (event: string, text: string, facts?: Readonly<Record<string, unknown>>) => void

export interface Log {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  /** The last words of a process that cannot go on; written before this returns. */
  readonly fatal: LogMethod
  /** Writes what is still in memory; for the end of the process. */
  flush(): void
}

/**
 * How much is kept in memory if the reader of stdout has stopped reading. More is dropped, because a log must not
 * block the safety path.
 */
const longestBacklogBytes = 1024 * 1024

/** @param output a file descriptor, or a path */
export function createLog(program: string, level: LogLevel, output: number | string = 1): Log {
  const destination = pino.destination({ dest: output, sync: false, maxLength: longestBacklogBytes })
  const logger = pino(
    {
      level,
      base: { program, pid: process.pid },
      messageKey: 'text',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['secret', '*.secret', 'key', '*.key'],
    },
    destination,
  )
  const flush = (): void => {
    try {
      destination.flushSync()
    } catch {
      // stdout is closed or not open yet, so nobody can read it.
    }
  }
  return {
    debug: (event, text, facts) => logger.debug({ event, ...facts }, text),
    info: (event, text, facts) => logger.info({ event, ...facts }, text),
    warn: (event, text, facts) => logger.warn({ event, ...facts }, text),
    error: (event, text, facts) => logger.error({ event, ...facts }, text),
    fatal: (event, text, facts) => {
      logger.fatal({ event, ...facts }, text)
      flush()
    },
    flush,
  }
}
