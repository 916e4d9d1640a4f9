// `npm run mutation`: each small change that Stryker makes to what decides must fail a test.
import { readdirSync } from 'node:fs'

const coreTests = ['agent', 'server', 'shared'].flatMap((wing) =>
  readdirSync(`test/unit/${wing}/core`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => `test/unit/${wing}/core/${name}`),
)

export default {
  mutate: ['{agent,server,shared}/core/**/*.ts'],
  mutator: {
    // A string in the cores is a word of a union, which the compiler checks, or a text for operators, of which the
    // tests compare what matters.
    excludedMutations: ['StringLiteral'],
  },
  ignorers: ['unreachable-by-type'],
  plugins: ['./test/mutation/mocha-runner.mjs', './test/mutation/unreachable-by-type.mjs'],
  testRunner: 'mocha',
  testRunnerNodeArgs: ['--import', 'tsx'],
  mochaTests: coreTests,
  coverageAnalysis: 'perTest',
  // What a test computes while it is defined needs a process of its own for each mutant: two thirds of the time. The
  // tests themselves reach all of it again.
  ignoreStatic: true,
  concurrency: 2,
  // On a busy machine a shorter one would take a slow test for a killed mutant.
  timeoutMS: 10_000,
  disableTypeChecks: false,
  thresholds: { high: 95, low: 90, break: 90 },
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'coverage/mutation.json' },
  tempDirName: '.stryker-tmp',
  ignorePatterns: [
    'dist',
    'docs',
    'deploy',
    'coverage',
    '.ci',
    'test/lab',
    'test/bench',
    'test/demo',
    'test/sim',
  ],
}
