/** What a seeker (seek.ts) reports to its hunter (hunt.ts), on its only line. */
import { z } from 'zod'

export const detectionSchema = z.strictObject({
  /** The first violation; null: none in all seeds. */
  broken: z
    .strictObject({
      seed: z.number(),
      /** An invariant of docs/safety.md; `crash`: the program threw. */
      invariant: z.string(),
      /** Time of the simulated cluster. */
      atMs: z.number(),
      text: z.string(),
    })
    .nullable(),
  /** How many seeds were run, whole or up to the violation. */
  seeds: z.number(),
  clusterHours: z.number(),
  tookMs: z.number(),
})
export type Detection = z.infer<typeof detectionSchema>
