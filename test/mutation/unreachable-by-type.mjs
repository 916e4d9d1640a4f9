/**
 * A plugin of Stryker: leaves out the `default` that ends every exhaustive switch with `assertNever`. The compiler
 * proves that no value reaches it, so no test can, and a mutant there says nothing of the tests.
 */
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

function callsAssertNever(statement) {
  const call = statement.type === 'ReturnStatement' ? statement.argument : statement.expression
  return call?.type === 'CallExpression' && call.callee.name === 'assertNever'
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'unreachable-by-type', {
    shouldIgnore: ({ node }) =>
      node.type === 'SwitchCase' && node.test === null && node.consequent.every(callsAssertNever)
        ? 'no value reaches assertNever'
        : undefined,
  }),
]
