/** What the witness answers about nodes and invites. */
import { z } from 'zod'

export const inviteSchema = z.object({
  line: z.string(),
  cluster: z.string(),
  node: z.string(),
  address: z.string(),
  goodForMs: z.number(),
})
export type InviteView = z.infer<typeof inviteSchema>

export const nodeListSchema = z.object({
  nodes: z.array(
    z.object({
      cluster: z.string(),
      node: z.string(),
      address: z.string(),
      port: z.number(),
      generation: z.number(),
      leastGeneration: z.number(),
      rotateAbove: z.number().nullable(),
      enrolledAt: z.string(),
      renewedAt: z.string(),
      removed: z.boolean(),
      connected: z.boolean(),
    }),
  ),
  invites: z.array(z.object({ cluster: z.string(), node: z.string(), endsInMs: z.number() })),
  lostAt: z.string().nullable(),
})
export type NodeListView = z.infer<typeof nodeListSchema>
