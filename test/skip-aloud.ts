/**
 * The one way to skip a test: whoever reads the run reads what is skipped, and why. With CI in the environment nothing is
 * skipped: `npm test` installs what the tests need, so what is missing there is a failure.
 */
import assert from 'node:assert/strict'
import { findProgram } from './find-program.ts'

export const inCI = (process.env.CI ?? '') !== ''

export function skipAloud(context: Mocha.Context, why: string): never {
  assert.ok(!inCI, `${why} (with CI set, nothing is skipped)`)
  console.log(`    skipped: ${why}`)
  context.skip()
}

/** @returns where it is */
export function programOrSkip(context: Mocha.Context, name: string): string {
  return findProgram(name) ?? skipAloud(context, `no ${name} here: run deploy/debian-packages --for unit`)
}
