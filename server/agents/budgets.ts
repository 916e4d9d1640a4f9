/**
 * What one node may cost the witness, over all its connections together: whoever has a node's certificate has that node,
 * and must not have the witness's time, memory, disk or log.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { TokenBucket } from '../../shared/network/token-bucket.ts'
import type { NodeIdentity } from '../../shared/identity/identity.ts'
import type { FromAgent } from '../../shared/protocol/messages.ts'

/** A session, four attempts beside it, as many of a cloned host, and those that are dying. */
const mostConnections = 16
/** A heartbeat four times a second and at each change of 32 instances. */
const messages = { perSecond: 100, burst: 300 } as const
/** An agent that is refused dials five times a second. */
const hellos = { perSecond: 10, burst: 40 } as const
/** Each start is an event and a line in the log. */
const starts = { perSecond: 0.2, burst: 10 } as const
/** So are these. 32 instances that all change at once tell three things each. */
const tells = { perSecond: 0.5, burst: 100 } as const
/** Two hosts with one name come by turns. */
const startsRemembered = 4

export type BudgetRefusal =
  'too-many-connections' | 'too-many-messages' | 'too-many-hellos' | 'too-many-tells'

interface Budget {
  connections: number
  readonly messages: TokenBucket
  readonly hellos: TokenBucket
  readonly starts: TokenBucket
  readonly tells: TokenBucket
  incarnations: readonly string[]
}

export class AgentBudgets {
  readonly #monotonicMs: () => number
  /** As many as there are nodes that ever were enrolled. */
  readonly #budgets = new Map<string, Budget>()

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
  }

  /** Counts a connection, whether or not it is one too many; `hungUp` follows. */
  connected(identity: NodeIdentity): BudgetRefusal | null {
    const budget = this.#of(identity)
    budget.connections += 1
    return budget.connections > mostConnections ? 'too-many-connections' : null
  }

  hungUp(identity: NodeIdentity): void {
    this.#of(identity).connections -= 1
  }

  /** Before anything is read of a message. */
  refusalOfMessage(identity: NodeIdentity): BudgetRefusal | null {
    return this.#of(identity).messages.take() ? null : 'too-many-messages'
  }

  refusalOf(identity: NodeIdentity, message: FromAgent): BudgetRefusal | null {
    const budget = this.#of(identity)
    switch (message.type) {
      case 'hello':
        return budget.hellos.take() && isKnownOrAffordable(budget, message.incarnation)
          ? null
          : 'too-many-hellos'
      case 'tell':
        return budget.tells.take() ? null : 'too-many-tells'
      case 'beat':
        return null
      case 'drilled':
        // Counts only as the answer to an admin's order.
        return null
      default:
        return assertNever(message)
    }
  }

  #of({ cluster, node }: NodeIdentity): Budget {
    const name = `${cluster}/${node}`
    let budget = this.#budgets.get(name)
    if (budget === undefined) {
      const bucket = (rate: { perSecond: number; burst: number }): TokenBucket =>
        new TokenBucket(rate, this.#monotonicMs)
      budget = {
        connections: 0,
        messages: bucket(messages),
        hellos: bucket(hellos),
        starts: bucket(starts),
        tells: bucket(tells),
        incarnations: [],
      }
      this.#budgets.set(name, budget)
    }
    return budget
  }
}

function isKnownOrAffordable(budget: Budget, incarnation: string): boolean {
  if (budget.incarnations.includes(incarnation)) return true
  if (!budget.starts.take()) return false
  budget.incarnations = [incarnation, ...budget.incarnations].slice(0, startsRemembered)
  return true
}
