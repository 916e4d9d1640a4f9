/** A trace of two real keepalived: what was done to them, and what they were seen to do, on one clock. */
import { z } from 'zod'

export const traceNodes = ['lb01', 'lb02'] as const
export type TraceNode = (typeof traceNodes)[number]

/**
 * `power-off` is the death of the whole host, and of its carrier; `delete-vip` is `ip addr del` by somebody else;
 * `deafen` makes the node's firewall drop the adverts that come in; the inputs for checks and for the script with a
 * weight take effect with the next run.
 */
export const traceInputs = [
  'start',
  'terminate',
  'kill',
  'power-off',
  'freeze',
  'thaw',
  'bar',
  'unbar',
  'check-succeeds',
  'check-fails',
  'check-hangs',
  'app-succeeds',
  'app-fails',
  'carrier-down',
  'carrier-up',
  'delete-vip',
  'deafen',
  'undeafen',
] as const
export type TraceInput = (typeof traceInputs)[number]

const nodeSchema = z.enum(traceNodes)

const traceConfSchema = z.strictObject({
  priority: z.number(),
  advertIntMs: z.number(),
  nopreempt: z.boolean(),
  initial: z.enum(['MASTER', 'BACKUP']),
  check: z
    .strictObject({ intervalMs: z.number(), timeoutMs: z.number(), fall: z.number(), rise: z.number() })
    .nullable(),
  /** The admin's own script, which has a weight. */
  app: z
    .strictObject({
      weight: z.number(),
      intervalMs: z.number(),
      timeoutMs: z.number(),
      fall: z.number(),
      rise: z.number(),
    })
    .optional(),
  downTimerAdverts: z.number().optional(),
})
export type TraceConf = z.infer<typeof traceConfSchema>

const seenSchema = z.union([
  z.templateLiteral([
    'fifo ',
    z.enum([
      ...['MASTER', 'BACKUP', 'FAULT', 'STOP', 'MASTER_RX_LOWER_PRI'],
      ...['MASTER_PRIORITY', 'BACKUP_PRIORITY'],
    ] as const),
  ]),
  z.templateLiteral(['advert ', z.number()]),
  z.enum(['vip added', 'vip removed', 'garp', 'gone']),
])
export type TraceSight = z.infer<typeof seenSchema>

export const traceSchema = z.strictObject({
  name: z.string(),
  says: z.string(),
  keepalived: z.string(),
  recorded: z.string(),
  command: z.string(),
  nodes: z.strictObject({ lb01: traceConfSchema, lb02: traceConfSchema }),
  durationMs: z.number(),
  /** When (ms since the beginning of the trace), at which node, what was done. */
  inputs: z.array(z.tuple([z.number(), nodeSchema, z.enum(traceInputs)])),
  /**
   * When, at which node, what was seen: FIFO lines as a reader gets them, the kernel's VIP as `ip monitor` reports it,
   * adverts and the first gratuitous ARP of each round as they pass the switch, the end of the process.
   */
  seen: z.array(z.tuple([z.number(), nodeSchema, seenSchema])),
})
export type KeepalivedTrace = z.infer<typeof traceSchema>

/** One line per event, so that a change of a trace can be read; formatted as prettier does. */
export function traceText(trace: KeepalivedTrace): string {
  const { inputs, seen, ...head } = trace
  const lines = (events: readonly (readonly (string | number)[])[]): string =>
    events.map((event) => `    [${event.map((part) => JSON.stringify(part)).join(', ')}]`).join(',\n')
  const headText = JSON.stringify(head, null, 2).slice(0, -2)
  return `${headText},\n  "inputs": [\n${lines(inputs)}\n  ],\n  "seen": [\n${lines(seen)}\n  ]\n}\n`
}
