// `npm run mutation`: each small change that Stryker makes to a pure core must fail a test.
export default {
  mutate: [
    'shared/vote.ts',
    'server/arbiter*.ts',
    'server/roster.ts',
    'agent/guard*.ts',
    'agent/lease.ts',
    'agent/bar-evidence.ts',
    'agent/fence-ladder.ts',
  ],
  mutator: {
    // A string in the cores is a word of a union, which the compiler checks, or a text for operators, of which the
    // tests compare what matters.
    excludedMutations: ['StringLiteral'],
  },
  ignorers: ['unreachable-by-type'],
  plugins: ['./test/mutation/mocha-runner.mjs', './test/mutation/unreachable-by-type.mjs'],
  testRunner: 'mocha',
  testRunnerNodeArgs: ['--import', 'tsx'],
  mochaTests: [
    'test/unit/shared/vote.test.ts',
    'test/unit/server/arbiter.test.ts',
    'test/unit/server/arbiter-greeting.test.ts',
    'test/unit/server/arbiter-voting.test.ts',
    'test/unit/server/arbiter-watch.test.ts',
    'test/unit/server/roster.test.ts',
    'test/unit/agent/guard.test.ts',
    'test/unit/agent/guard-claim.test.ts',
    'test/unit/agent/guard-standby.test.ts',
    'test/unit/agent/guard-fencing.test.ts',
    'test/unit/agent/guard-voting.test.ts',
    'test/unit/agent/guard-report.test.ts',
    'test/unit/agent/lease.test.ts',
    'test/unit/agent/bar-evidence.test.ts',
    'test/unit/agent/fence-ladder.test.ts',
  ],
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
