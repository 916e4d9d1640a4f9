/**
 * How `witness-agent leave` asks the running agent, and how the agent answers: two small files in the run folder,
 * which belongs to root. Nothing else makes the agent delegate its vote. A SIGTERM does not, because it comes with
 * every reboot and every upgrade.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { epochSchema, nodeName } from '../../../shared/protocol/names.ts'
import { replaceFile } from '../../../shared/disk/run-folder.ts'

const request = z.strictObject({
  id: z.string(),
  bootId: z.string(),
  /** On the boot clock. A request that the agent did not take in time no longer counts. */
  untilMs: z.number(),
})
export type LeaveRequest = z.infer<typeof request>

const outcome = z.discriminatedUnion('kind', [
  /** The votes that count at the other node, by instance. */
  z.strictObject({
    kind: z.literal('left'),
    votes: z.record(z.string(), z.strictObject({ to: nodeName, epoch: epochSchema })),
  }),
  /** Nothing was done. */
  z.strictObject({ kind: z.literal('refused'), text: z.string() }),
  /** It was begun and given up. A delegated vote comes back with the other node's consent. */
  z.strictObject({ kind: z.literal('failed'), text: z.string() }),
])
export type LeaveOutcome = z.infer<typeof outcome>
const answer = z.strictObject({ id: z.string(), outcome })

/** @throws RunFolderError */
export function writeLeaveRequest(runDir: string, wish: LeaveRequest): void {
  rmSync(answerPath(runDir), { force: true })
  replaceFile(requestPath(runDir), JSON.stringify(wish))
}

/** @returns whether it was still there, so that the agent has not taken it and will not */
export function withdrawLeaveRequest(runDir: string): boolean {
  return take(requestPath(runDir)) !== null
}

/** For the agent: takes a request once, and only if it is from this boot and somebody still waits for the answer. */
export function takeLeaveRequest(
  runDir: string,
  now: { readonly bootId: string; readonly atMs: number },
): string | null {
  const found = request.safeParse(take(requestPath(runDir)))
  if (!found.success) return null
  const { id, bootId, untilMs } = found.data
  return bootId === now.bootId && now.atMs <= untilMs ? id : null
}

/** @throws RunFolderError */
export function writeLeaveAnswer(runDir: string, said: z.infer<typeof answer>): void {
  replaceFile(answerPath(runDir), JSON.stringify(said))
}

/** The answer to that request; null: there is none yet. */
export function takeLeaveAnswer(runDir: string, id: string): LeaveOutcome | null {
  const found = answer.safeParse(take(answerPath(runDir)))
  return found.success && found.data.id === id ? found.data.outcome : null
}

function take(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
    rmSync(path)
  } catch {
    return null
  }
  try {
    return JSON.parse(text)
  } catch {
    return 'not JSON'
  }
}

function requestPath(runDir: string): string {
  return join(runDir, 'leave.request')
}

function answerPath(runDir: string): string {
  return join(runDir, 'leave.answer')
}
