import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

/** What each room of the code may not import; docs/architecture.md says why. */
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
  'server/core/arbiter/arbiter.ts',
  'server/core/arbiter/state.ts',
  'server/core/arbiter/turn.ts',
  'server/core/arbiter/greeting.ts',
  'server/core/arbiter/members.ts',
  'server/core/arbiter/voting.ts',
  'server/core/arbiter/check.ts',
  'server/core/arbiter/watch.ts',
  'server/core/arbiter/transfer.ts',
  'server/core/arbiter/drill.ts',
  'server/core/arbiter/judgement.ts',
  'server/core/arbiter/situation.ts',
  'server/core/arbiter/situation-telling.ts',
  'server/core/arbiter/roster.ts',
  'server/core/arbiter/lease-holder.ts',
  'server/core/status/cluster-view.ts',
  'server/core/enrolment/record.ts',
  'agent/core/guard/guard.ts',
  'agent/core/guard/state.ts',
  'agent/core/guard/turn.ts',
  'agent/core/guard/phases/claim.ts',
  'agent/core/guard/phases/holding.ts',
  'agent/core/guard/phases/standby.ts',
  'agent/core/guard/phases/gate.ts',
  'agent/core/guard/events/standing.ts',
  'agent/core/guard/phases/fencing.ts',
  'agent/core/guard/phases/drilling.ts',
  'agent/core/guard/events/voting.ts',
  'agent/core/guard/report.ts',
  'agent/core/guard/bar-evidence.ts',
  'agent/core/guard/lease.ts',
  'agent/core/guard/fence-ladder.ts',
  'agent/core/dial-pace.ts',
  'shared/core/vote/voter.ts',
  'shared/core/clock-jump.ts',
  'shared/core/preference.ts',
  'shared/core/timing.ts',
  'shared/core/succession.ts',
  'shared/core/vip-sighting.ts',
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
