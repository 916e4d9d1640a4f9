/**
 * A test runner plugin of Stryker on mocha's public interface (https://mochajs.org/api/mocha): Stryker's own for
 * mocha reaches into modules that mocha 12 no longer has. One process loads the tests once and runs them for many
 * mutants; `globalThis.__stryker__` says which one is on (stryker-js, packages/api/src/core/instrument.ts).
 */
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core'
import { commonTokens, declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin'
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import { resolve } from 'node:path'
import Mocha from 'mocha'

/** Collects what Stryker wants to know of each test; prints nothing. */
function collector(tests) {
  return class {
    constructor(runner) {
      const note = (test, outcome) =>
        tests.push({
          id: test.fullTitle(),
          name: test.fullTitle(),
          timeSpentMs: test.duration ?? 0,
          ...outcome,
        })
      runner.on('pass', (test) => note(test, { status: TestStatus.Success }))
      runner.on('pending', (test) => note(test, { status: TestStatus.Skipped }))
      // A hook that fails counts as the failure of the test that it was for.
      runner.on('fail', (test, error) =>
        note(test, { status: TestStatus.Failed, failureMessage: error.message ?? String(error) }),
      )
    }
  }
}

class MochaTestRunner {
  static inject = [commonTokens.options]
  #files
  #mocha = null
  #suite = globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ?? (globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] = {})
  #notesCoverage = false

  constructor(options) {
    this.#files = options.mochaTests
  }

  capabilities() {
    return { reloadEnvironment: false }
  }

  init() {
    this.#mocha = new Mocha({ timeout: 0 })
    this.#mocha.cleanReferencesAfterRun(false)
    for (const file of this.#files) this.#mocha.addFile(resolve(file))
    const noteTest = (test) => {
      if (this.#notesCoverage) this.#suite.currentTestId = test?.fullTitle()
    }
    this.#mocha.suite.beforeEach(function () {
      noteTest(this.currentTest)
    })
  }

  async dryRun({ coverageAnalysis, disableBail }) {
    this.#notesCoverage = coverageAnalysis === 'perTest'
    const result = await this.#run({ disableBail, mutant: undefined, loadsMutant: false })
    this.#notesCoverage = false
    return coverageAnalysis === 'off' ? result : { ...result, mutantCoverage: this.#suite.mutantCoverage }
  }

  async mutantRun({ activeMutant, testFilter, disableBail, hitLimit, mutantActivation }) {
    this.#suite.hitLimit = hitLimit
    this.#suite.hitCount = hitLimit === undefined ? undefined : 0
    const names = testFilter?.map((name) => `^${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`)
    this.#mocha.grep(new RegExp(names?.join('|') ?? ''))
    const result = await this.#run({
      disableBail,
      mutant: activeMutant.id,
      loadsMutant: mutantActivation === 'static',
    })
    return toMutantRunResult(determineHitLimitReached(this.#suite.hitCount, hitLimit) ?? result)
  }

  async #run({ disableBail, mutant, loadsMutant }) {
    if (!this.loaded) {
      this.#suite.activeMutant = loadsMutant ? mutant : undefined
      await this.#mocha.loadFilesAsync()
      this.loaded = true
    }
    this.#suite.activeMutant = mutant
    setBail(this.#mocha.suite, !disableBail)
    const tests = []
    this.#mocha.reporter(collector(tests))
    await new Promise((done) => this.#mocha.run(done))
    return { status: DryRunStatus.Complete, tests }
  }
}

/** Suites have their own bail, set when they are made. */
function setBail(suite, bail) {
  suite.bail(bail)
  for (const inner of suite.suites) setBail(inner, bail)
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'mocha', MochaTestRunner)]
export const strykerValidationSchema = {
  properties: {
    mochaTests: { description: 'The test files, in their order.', type: 'array', items: { type: 'string' } },
  },
}
