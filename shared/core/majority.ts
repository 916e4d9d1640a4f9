/** How many votes a lease needs. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1
}
