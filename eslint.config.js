import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

/** What each room of the code may not import; docs/ARCHITECTURE.md says why. */
function imports(files, ...groups) {
  return {
    files,
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: groups.map(([group, message]) => ({ group, message })) },
      ],
    },
  }
}

const noTest = [['**/test/**'], 'Nothing imports test.']
const ioModules = [
  ['node:*', 'fs', 'net', 'ws', 'express', 'lowdb', 'ping', 'pino', 'yaml', 'commander'],
  'This file is pure: state and event in, state and effects out.',
]
const clocks = [
  { object: 'Date', property: 'now', message: 'Time is handed in; only main.ts reads clocks.' },
  { object: 'Math', property: 'random', message: 'Chance is handed in.' },
  { object: 'performance', property: 'now', message: 'Time is handed in.' },
]
const pureFiles = [
  'server/arbiter.ts',
  'server/arbiter-state.ts',
  'server/arbiter-turn.ts',
  'server/arbiter-greeting.ts',
  'server/arbiter-members.ts',
  'server/arbiter-voting.ts',
  'server/arbiter-check.ts',
  'server/arbiter-watch.ts',
  'server/arbiter-transfer.ts',
  'server/arbiter-drill.ts',
  'server/judgement.ts',
  'server/situation.ts',
  'server/situation-telling.ts',
  'server/roster.ts',
  'server/lease-holder.ts',
  'server/cluster-view.ts',
  'server/enrolment.ts',
  'agent/guard.ts',
  'agent/guard-state.ts',
  'agent/guard-turn.ts',
  'agent/guard-claim.ts',
  'agent/guard-holding.ts',
  'agent/guard-standby.ts',
  'agent/guard-gate.ts',
  'agent/guard-standing.ts',
  'agent/guard-fencing.ts',
  'agent/guard-drill.ts',
  'agent/guard-voting.ts',
  'agent/guard-report.ts',
  'agent/bar-evidence.ts',
  'agent/lease.ts',
  'agent/fence-ladder.ts',
  'agent/dial-pace.ts',
  'shared/vote.ts',
  'shared/clock-jump.ts',
  'shared/preference.ts',
  'shared/timing.ts',
  'shared/succession.ts',
  'shared/vip-sighting.ts',
]

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**', '.stryker-tmp/**'] },
  js.configs.recommended,
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/consistent-type-definitions': 'off',
      'no-restricted-properties': ['error', ...clocks.slice(0, 2)],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.object.type=ThisExpression][callee.property.name=skip]',
          message: 'skipAloud() says why, and fails in CI.',
        },
        {
          selector: 'CallExpression[callee.object.name=/^(it|describe)$/][callee.property.name=skip]',
          message: 'A test is mended or removed; one that cannot run here calls skipAloud().',
        },
      ],
    },
  },
  imports(['shared/**/*.ts'], noTest, [
    ['**/server/**', '**/agent/**'],
    'shared imports nothing from outside itself.',
  ]),
  imports(['server/**/*.ts'], noTest, [['**/agent/**'], 'server and agent never import each other.']),
  imports(['agent/**/*.ts'], noTest, [['**/server/**'], 'server and agent never import each other.']),
  ...pureFiles.map((file) =>
    imports([file], noTest, ioModules, [
      file.startsWith('shared')
        ? ['**/server/**', '**/agent/**']
        : [file.startsWith('agent') ? '**/server/**' : '**/agent/**'],
      'The rooms stay apart.',
    ]),
  ),
  {
    files: pureFiles,
    rules: {
      'no-restricted-properties': ['error', ...clocks],
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'process'],
    },
  },
  { files: ['**/main.ts'], rules: { 'no-restricted-properties': 'off' } },
  prettier,
)
