/** The names under which the programs report something to operators, and what they refused, read from their sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '../../..')
const rooms = ['server', 'agent', 'shared'] as const
type Room = (typeof rooms)[number]

/** An event goes to the witness's record and into the log, a line into the log alone. */
export interface Reported {
  readonly events: ReadonlySet<string>
  readonly lines: ReadonlySet<string>
  /** Where a name is made by an expression that is not understood here. */
  readonly unread: readonly string[]
}

const logLevels = new Set(['debug', 'info', 'warn', 'error', 'fatal'])

/** A name that is put together ends in `…`, like `situation.…`. */
export function reportedBy(room: 'server' | 'agent'): Reported {
  const events = new Set<string>()
  const lines = new Set<string>()
  const unread: string[] = []
  visitAll(room, (node) => {
    const reported = reportedAt(node)
    if (reported === null) return
    const names = namesOf(reported.name)
    if (names === null) unread.push(`${node.getSourceFile().fileName}: ${reported.name.getText()}`)
    for (const name of names ?? []) (reported.isLine ? lines : events).add(name)
  })
  return { events, lines, unread }
}

/** Each kind of refusal that is counted, at the witness and at an agent's listener. */
export function refusalKinds(): ReadonlySet<string> {
  const kinds = new Set<string>()
  for (const room of rooms)
    visitAll(room, (node) => {
      if (ts.isTypeAliasDeclaration(node) && countedTypes.has(node.name.text))
        for (const [, kind] of node.type.getText().matchAll(/'([^']+)'/g)) kinds.add(kind ?? '')
      const kind = ts.isCallExpression(node) ? refusedBy(node) : null
      for (const name of (kind === null ? null : namesOf(kind)) ?? []) kinds.add(name)
    })
  return kinds
}

const countedTypes = new Set(['RefusalKind', 'UpgradeRefusal', 'ListenerRefusal', 'BudgetRefusal'])

/** `refuseMessage(turn, …)`, `this.#refuse(connection, …)`, `onRefused(…)`, and what a greeting wraps. */
function refusedBy({ expression, arguments: given }: ts.CallExpression): ts.Expression | null {
  const callee = expression.getText().split('.').at(-1)
  const first = given[0]?.getText()
  if (callee === 'refuseMessage' || (callee === '#refuse' && first === 'connection')) return given[1] ?? null
  const isOfGreeting = callee === 'refuse' && expression.getSourceFile().fileName === greeting
  return callee === 'onRefused' || isOfGreeting ? (given[0] ?? null) : null
}

const greeting = 'server/core/arbiter/greeting.ts'

function visitAll(room: Room, visit: (node: ts.Node) => void): void {
  const paths = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
  for (const path of paths.filter((path) => path.endsWith('.ts'))) {
    const file = join(room, path)
    const text = readFileSync(join(root, file), 'utf8')
    const walk = (node: ts.Node): void => {
      visit(node)
      ts.forEachChild(node, walk)
    }
    walk(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
  }
}

/** `event: …` of an occurrence, `tell(turn, …)`, `problem(…)`, `lastingProblem(…)`, or `log.warn(…)`. */
function reportedAt(node: ts.Node): { readonly name: ts.Expression; readonly isLine: boolean } | null {
  if (ts.isPropertyAssignment(node) && node.name.getText() === 'event')
    return { name: node.initializer, isLine: false }
  if (!ts.isCallExpression(node)) return null
  const { expression: called, arguments: given } = node
  const [callee, on] = ts.isPropertyAccessExpression(called)
    ? [called.name.text, called.expression.getText()]
    : [called.getText(), null]
  if (on === null && callee === 'tell' && given[0]?.getText() === 'turn' && given[1] !== undefined)
    return { name: given[1], isLine: false }
  if ((callee === 'problem' || callee === 'lastingProblem') && given.length === 2 && given[0] !== undefined)
    return { name: given[0], isLine: false }
  if (on !== null && /log$/i.test(on) && logLevels.has(callee) && given[0] !== undefined)
    return { name: given[0], isLine: true }
  return null
}

/** @returns none where a name is handed on, or something else is called an event; null: not understood */
function namesOf(expression: ts.Expression): readonly string[] | null {
  if (ts.isStringLiteral(expression)) return [expression.text]
  if (ts.isTemplateExpression(expression)) return [`${expression.head.text}…`]
  if (ts.isConditionalExpression(expression)) {
    const [yes, no] = [namesOf(expression.whenTrue), namesOf(expression.whenFalse)]
    return yes === null || no === null ? null : [...yes, ...no]
  }
  const isHandedOn =
    ts.isIdentifier(expression) ||
    ts.isPropertyAccessExpression(expression) ||
    ts.isObjectLiteralExpression(expression) ||
    ts.isArrowFunction(expression)
  const isSchema = ts.isCallExpression(expression) && expression.getText().startsWith('z.')
  return isHandedOn || isSchema ? [] : null
}
