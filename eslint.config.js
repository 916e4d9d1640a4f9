import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

// Who may import whom is held by test/house/walls.test.ts. Here: which names a file may use.

const clocks = [
  { object: 'Date', property: 'now', message: 'Time is handed in; only main.ts reads clocks.' },
  { object: 'Math', property: 'random', message: 'Chance is handed in.' },
]

/** Unions of literals instead; the rules about unsafe enums are off because of it. */
const noEnums = {
  selector: 'TSEnumDeclaration',
  message: 'A union of literals, and assertNever at the end of a switch.',
}

/** The folders that decide. */
const cores = ['agent/core/**/*.ts', 'server/core/**/*.ts', 'shared/core/**/*.ts']

/** What tells the time, draws chance, waits, speaks or reaches out. */
const impureGlobals = [
  'Date',
  'performance',
  'process',
  'crypto',
  'fetch',
  'console',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Promise',
  'WebSocket',
  'globalThis',
  'global',
  'require',
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
      // There are no enums here, and looking for them in every assignment takes a tenth of the time.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      'no-restricted-properties': ['error', ...clocks],
      'no-restricted-syntax': ['error', noEnums],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': [
        'error',
        noEnums,
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
  {
    files: cores,
    rules: {
      'no-restricted-globals': [
        'error',
        ...impureGlobals.map((name) => ({
          name,
          message: 'This file decides: state and event in, effects out.',
        })),
      ],
      'no-restricted-syntax': [
        'error',
        noEnums,
        { selector: ':function[async=true]', message: 'A decision waits for nothing.' },
        { selector: 'AwaitExpression', message: 'A decision waits for nothing.' },
        { selector: 'ForOfStatement[await=true]', message: 'A decision waits for nothing.' },
      ],
    },
  },
  { files: ['**/main.ts'], rules: { 'no-restricted-properties': 'off' } },
  prettier,
)
