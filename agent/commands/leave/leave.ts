/**
 * `witness-agent leave`: the operator's word that this node goes away for long. The running agent leaves its vote with the
 * holder and proves it; only then it is stopped. docs/operating/maintain.md has what it means for the other node.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { bootClockMs, bootId } from '../../../shared/host/boot-clock.ts'
import { ConfigError, loadConfig } from '../../../shared/host/config-file.ts'
import { runCommand } from '../../../shared/host/command.ts'
import { agentConfigSchema, type AgentConfig } from '../../config.ts'
import { RunFolderError } from '../../../shared/disk/run-folder.ts'
import { takeLeaveAnswer, withdrawLeaveRequest, writeLeaveRequest, type LeaveOutcome } from './request.ts'

export const leaveExits = {
  /** The vote is at the other node, and the agent is stopped. */
  left: 0,
  /** This node has its vote still, or gets it back; or the vote is left and the agent could not be stopped. */
  notLeft: 1,
  mistake: 2,
} as const
export type LeaveExit = (typeof leaveExits)[keyof typeof leaveExits]

const unit = 'witness-agent'
const unitTimeoutMs = 60_000
/** The agent looks each renewMs and waits three seconds for the other node. */
const answerTimeoutMs = 8000
const lookAgainMs = 50

export interface LeaveSurroundings {
  readonly bootId: string
  readonly nowMs: () => number
  readonly pauseMs: (durationMs: number) => Promise<void>
  readonly say: (line: string) => void
  /** How the agent is stopped; null: the caller does it. */
  readonly stopAgent: readonly string[] | null
}

export function addLeaveCommand(program: Command): void {
  program
    .command('leave')
    .description(
      'This node goes away for long: leaves its vote with the node that holds, and stops the agent. keepalived must be stopped here.',
    )
    .option('--no-stop', 'leave the agent running, where systemd does not run it: you stop it')
    .addHelpText(
      'after',
      '\nExit codes: 0 left, and the agent is stopped; 1 not so, and what is left to do is said; 2 a mistake.',
    )
    .action(async ({ stop }: { stop: boolean }, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>()
      const say = (line: string): void => void process.stdout.write(`${line}\n`)
      try {
        if (stop && !existsSync('/run/systemd/system'))
          throw new ConfigError(['systemd does not run here: use --no-stop, and stop the agent afterwards'])
        process.exitCode = await runLeave(loadConfig(config, agentConfigSchema), {
          bootId: bootId(),
          nowMs: bootClockMs,
          pauseMs: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
          say,
          stopAgent: stop ? ['systemctl', 'stop', unit] : null,
        })
      } catch (cause) {
        if (!(cause instanceof ConfigError) && !(cause instanceof RunFolderError)) throw cause
        process.stderr.write(`${cause.message}\n`)
        process.exitCode = leaveExits.mistake
      }
    })
}

/** @throws RunFolderError */
export async function runLeave(
  { runDir }: Pick<AgentConfig, 'runDir'>,
  around: LeaveSurroundings,
): Promise<LeaveExit> {
  const { say } = around
  const outcome = await askAgent(runDir, around)
  switch (outcome?.kind) {
    case 'left':
      say(meaningOf(outcome.votes))
      return stopAgent(around)
    case 'refused':
      say(`Not left, and nothing was changed: ${outcome.text}.`)
      return leaveExits.notLeft
    case 'failed':
      say(`Not left: ${outcome.text}.`)
      say('The agent goes on here. Any vote that is out comes back as soon as the other node is heard.')
      return leaveExits.notLeft
    case undefined:
      say(
        withdrawLeaveRequest(runDir)
          ? `Not left, and nothing was changed: the agent did not answer within ${answerTimeoutMs / 1000} s. Does it run (systemctl status ${unit})?`
          : `The agent took the request, but did not answer within ${answerTimeoutMs / 1000} s: see journalctl -u ${unit}. Where a vote was left, it comes back when the agent starts again.`,
      )
      return leaveExits.notLeft
  }
}

async function askAgent(
  runDir: string,
  { bootId, nowMs, pauseMs }: LeaveSurroundings,
): Promise<LeaveOutcome | null> {
  const id = randomUUID()
  const untilMs = nowMs() + answerTimeoutMs
  writeLeaveRequest(runDir, { id, bootId, untilMs })
  for (;;) {
    const outcome = takeLeaveAnswer(runDir, id)
    if (outcome !== null || nowMs() >= untilMs) return outcome
    await pauseMs(lookAgainMs)
  }
}

async function stopAgent({ say, stopAgent }: LeaveSurroundings): Promise<LeaveExit> {
  if (stopAgent === null) {
    say('Stop the agent now; until then it says that it goes.')
    return leaveExits.left
  }
  const { error } = await runCommand(stopAgent, { timeoutMs: unitTimeoutMs })
  if (error === null) {
    say('The agent is stopped.')
    return leaveExits.left
  }
  say(
    `The vote is left, but the agent could not be stopped (${error}): stop it with "${stopAgent.join(' ')}".`,
  )
  return leaveExits.notLeft
}

function meaningOf(votes: (LeaveOutcome & { kind: 'left' })['votes']): string {
  const left = Object.entries(votes).map(
    ([instance, { to, epoch }]) =>
      `${instance}: this node's vote is with ${to} (epoch ${epoch}), on its disk, and counts there.`,
  )
  const others = [...new Set(Object.values(votes).map(({ to }) => to))].join(', ')
  return [
    ...left,
    `While this node is away ${others} keeps the VIP also without the witness. While it is alone, nobody takes over if it dies.`,
    'To come back: systemctl start witness-agent keepalived. This node stays barred until it has heard the other one.',
    `If ${others} is gone for good: power it off, then run "witness-agent take-vote-back" here.`,
  ].join('\n')
}
