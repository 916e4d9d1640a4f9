/** One word for who belongs to a plan, with which the agent says what it has on disk. Pure. */
import type { Plan } from '../protocol/plan.ts'

/** The nodes by name, each with the least generation of its certificates. */
export function planMarkOf({ nodes }: Pick<Plan, 'nodes'>): string {
  return nodes
    .map(({ name, leastGeneration }) => `${name}#${leastGeneration}`)
    .sort()
    .join(' ')
}
