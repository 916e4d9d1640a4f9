/**
 * Limits what one node may cost the witness, over all its connections together. Whoever has a node's certificate
 * controls that node, but must not be able to use up the witness's time, memory, disk or log.
 */
import { assertNever } from '../../shared/assert-never.ts'
import { TokenBucket } from '../../shared/network/token-bucket.ts'
import type { NodeIdentity } from '../../shared/identity/identity.ts'
import type { FromAgent } from '../../shared/protocol/messages.ts'

/** One session and four dial attempts, the same again for a cloned host, plus connections being torn down. */
const mostConnections = 16
/** A heartbeat four times a second and at each change of 32 instances. */
const messages = { perSecond: 100, burst: 300 } as const
/** An agent that is refused dials five times a second. */
const hellos = { perSecond: 10, burst: 40 } as const
/** Each start of an agent causes an event and a log line. */
const starts = { perSecond: 0.2, burst: 10 } as const
/** Each of these causes an event and a log line too. 32 instances that all change at once report three things each. */
const tells = { perSecond: 0.5, burst: 100 } as const
/** Two hosts with one name connect by turns. */
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
  /** At most one for each node that was ever enrolled. */
  readonly #budgets = new Map<string, Budget>()

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
  }

  /** Counts a connection, even if it is one too many; `hungUp` must follow. */
  connected(identity: NodeIdentity): BudgetRefusal | null {
    const budget = this.#of(identity)
    budget.connections += 1
    return budget.connections > mostConnections ? 'too-many-connections' : null
  }

  hungUp(identity: NodeIdentity): void {
    this.#of(identity).connections -= 1
  }

  /** To be asked before anything of a message is read. */
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
