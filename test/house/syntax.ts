/** Finds syntax that has no place in a file. It needs no types, so each file is looked at by itself. */
import ts from 'typescript'
import { isCore } from './walls.ts'

/** Of `async` functions, `await`, and `for await`. */
const waiting = [ts.SyntaxKind.AsyncKeyword, ts.SyntaxKind.AwaitExpression, ts.SyntaxKind.AwaitKeyword]

/** One line for each place in `source`, which is that of `file`; empty when everything may stand there. */
export function findForbiddenSyntax(file: string, source: string): readonly string[] {
  if (!mayHold(file, source)) return []
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const why = whyNot(file, node)
    if (why !== null) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
      found.push(`${file}:${line + 1}: ${why}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** Most files have none of the words, and need not be parsed. */
function mayHold(file: string, source: string): boolean {
  return (isCore(file) ? /\b(enum|skip|async|await)\b/ : /\b(enum|skip)\b/).test(source)
}

function whyNot(file: string, node: ts.Node): string | null {
  if (ts.isEnumDeclaration(node))
    return 'no enum: a union of literals, and assertNever at the end of a switch'
  if (isCore(file) && waiting.includes(node.kind)) return 'a decision waits for nothing'
  if (file.startsWith('test/') && ts.isCallExpression(node)) return whySkipped(node)
  return null
}

function whySkipped({ expression }: ts.CallExpression): string | null {
  if (!ts.isPropertyAccessExpression(expression) || expression.name.text !== 'skip') return null
  if (expression.expression.kind === ts.SyntaxKind.ThisKeyword)
    return 'skipAloud() says why a test is skipped, and fails in CI'
  return /^(it|describe)$/.test(expression.expression.getText())
    ? 'a test is mended or removed; one that cannot run here calls skipAloud()'
    : null
}
