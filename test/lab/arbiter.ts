/** Who resolves split brain in a run: the product, or nobody (keepalived alone, for comparison). */
export const arbiters = ['witness', 'none'] as const
export type Arbiter = (typeof arbiters)[number]
