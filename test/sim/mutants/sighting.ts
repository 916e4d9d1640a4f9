/** What a seeker (seek.ts) tells its hunter (hunt.ts) on its only line. */
import { z } from 'zod'

export const sightingSchema = z.strictObject({
  /** The first violation; null: none in all seeds. */
  broken: z
    .strictObject({
      seed: z.number(),
      /** A name of docs/safety.md, like S1; `crash`: the program threw. */
      invariant: z.string(),
      /** Of the simulated cluster. */
      atMs: z.number(),
      text: z.string(),
    })
    .nullable(),
  /** How many seeds were run, whole or up to the violation. */
  seeds: z.number(),
  clusterHours: z.number(),
  tookMs: z.number(),
})
export type Sighting = z.infer<typeof sightingSchema>
