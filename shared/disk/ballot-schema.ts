/** A ballot as the witness's ledger and the agent's state file have it on disk. */
import { z } from 'zod'
import { epochSchema, nodeName } from '../protocol/names.ts'
import type { Ballot } from '../core/vote/voter.ts'

export const ballotSchema = z.strictObject({
  to: nodeName,
  epoch: epochSchema,
  /** A vote that a leaving node delegated; absent for every other ballot. */
  standing: z.literal(true).optional(),
}) satisfies z.ZodType<Ballot>
