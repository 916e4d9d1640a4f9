/**
 * mocha's `spec` reporter that also writes how many tests passed, failed and were skipped, for test/run.ts:
 * `--reporter-option counts=FILE`. `complete` is false where the process ended before mocha did.
 */
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'
import { z } from 'zod'

export interface Counts {
  passed: number
  failed: number
  skipped: number
  complete: boolean
}

const reporterOptions = z.object({ counts: z.string() })

export default class CountsReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const { counts: file } = reporterOptions.parse(options.reporterOptions)
    const counts: Counts = { passed: 0, failed: 0, skipped: 0, complete: false }
    const { EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_RUN_END } = Mocha.Runner.constants
    runner.on(EVENT_TEST_PASS, () => counts.passed++)
    runner.on(EVENT_TEST_FAIL, () => counts.failed++)
    runner.on(EVENT_TEST_PENDING, () => counts.skipped++)
    runner.on(EVENT_RUN_END, () => {
      counts.complete = true
      writeFileSync(file, JSON.stringify(counts))
    })
    process.on('exit', () => writeFileSync(file, JSON.stringify(counts)))
  }
}
