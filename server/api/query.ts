/** The query of an HTTP request: which parameters it may have, and what is wrong with one, in plain words. */
import { z } from 'zod'

/** As a client sent it: a parameter that was given twice is a list. */
export type Query = Readonly<Record<string, unknown>>

export type QueryResult<T> =
  | { readonly kind: 'valid'; readonly parameters: T }
  /** `detail` names each parameter that is wrong, what was given, and what is allowed. */
  | { readonly kind: 'wrong'; readonly detail: string }

/** A parameter that is a whole number, in decimal digits. */
export function wholeNumber({ least, most }: { least: number; most: number }): z.ZodType<number, string> {
  const expected = `a whole number from ${least} to ${most} is expected`
  return z
    .string()
    .regex(/^\d{1,16}$/, { error: expected, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected)
}

export function readQuery<T extends z.ZodRawShape>(
  schema: z.ZodObject<T>,
  query: Query,
): QueryResult<z.infer<z.ZodObject<T>>> {
  const result = schema.safeParse(query)
  if (result.success) return { kind: 'valid', parameters: result.data }
  const known = Object.keys(schema.shape)
  const mistakes = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(
          (key) =>
            `${shorten(key)} is not a parameter of this request; its parameters are ${known.join(', ')}`,
        )
      : [describe(String(issue.path[0]), query, issue.message)],
  )
  return { kind: 'wrong', detail: mistakes.join('; ') }
}

function describe(name: string, query: Query, expected: string): string {
  const given = query[name]
  if (given === undefined) return `${name} is missing`
  if (typeof given === 'string') return `${name} is ${JSON.stringify(shorten(given))}: ${expected}`
  return `${name} is given more than once`
}

function shorten(text: string): string {
  return text.length > 63 ? `${text.slice(0, 62)}…` : text
}
