/** Errors of the HTTP API as problem details (RFC 9457). */
import type { Response } from 'express'

export interface Problem {
  readonly status: number
  readonly title: string
  /** What is wrong in this case, and what to do. */
  readonly detail: string
}

export function sendProblem(response: Response, { status, title, detail }: Problem): void {
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, detail }))
}
