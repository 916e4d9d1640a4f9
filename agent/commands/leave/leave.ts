/**
 * `witness-agent leave`: the operator takes this node away for a long time. The running agent delegates its vote to
 * the holder and proves that it counts there. Only then is the agent stopped. docs/operating/maintain.md has what it
 * means for the other node.
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
  /** This node still has its vote or gets it back, or the vote is delegated but the agent could not be stopped. */
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
  /** The command that stops the agent; null: the operator stops it. */
  readonly stopAgent: readonly string[] | null
}

export function addLeaveCommand(program: Command): void {
  program
    .command('leave')
    .description(
      'Takes this node out of service for a long time: delegates its vote to the node that holds the VIP, and stops the agent. keepalived must be stopped on this node first.',
    )
    .option('--no-stop', 'do not stop the agent, because systemd does not run it; you stop it yourself')
    .addHelpText(
      'after',
      '\nExit codes: 0 this node has left and its agent is stopped; 1 it has not, and the output says what to do; 2 a mistake.',
    )
    .action(async ({ stop }: { stop: boolean }, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>()
      const say = (line: string): void => void process.stdout.write(`${line}\n`)
      try {
        if (stop && !existsSync('/run/systemd/system'))
          throw new ConfigError([
            'systemd is not running on this host; use --no-stop, and stop the agent afterwards',
          ])
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
      say(`This node has not left, and nothing was changed: ${outcome.text}.`)
      return leaveExits.notLeft
    case 'failed':
      say(`This node has not left: ${outcome.text}.`)
      say(
        'Its agent keeps running. A vote that was already delegated comes back as soon as the agent hears the other node.',
      )
      return leaveExits.notLeft
    case undefined:
      say(
        withdrawLeaveRequest(runDir)
          ? `This node has not left, and nothing was changed: the agent did not answer within ${answerTimeoutMs / 1000} s. Check that it is running (systemctl status ${unit}).`
          : `The agent took the request, but did not answer within ${answerTimeoutMs / 1000} s; see journalctl -u ${unit}. If a vote was delegated, it comes back when the agent starts again.`,
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
    say('Stop the agent now; until then it keeps reporting that this node is leaving.')
    return leaveExits.left
  }
  const { error } = await runCommand(stopAgent, { timeoutMs: unitTimeoutMs })
  if (error === null) {
    say('The agent is stopped.')
    return leaveExits.left
  }
  say(
    `The vote is delegated, but the agent could not be stopped (${error}); stop it with "${stopAgent.join(' ')}".`,
  )
  return leaveExits.notLeft
}

function meaningOf(votes: (LeaveOutcome & { kind: 'left' })['votes']): string {
  const left = Object.entries(votes).map(
    ([instance, { to, epoch }]) =>
      `${instance}: this node's vote is delegated to ${to} (epoch ${epoch}), which has it on disk and counts it.`,
  )
  const others = [...new Set(Object.values(votes).map(({ to }) => to))].join(', ')
  return [
    ...left,
    `While this node is away, ${others} keeps the VIP even without the witness. If ${others} dies during that time, no node takes over.`,
    'To come back: systemctl start witness-agent keepalived. This node stays barred until it hears the other one.',
    `If ${others} is gone for good: power it off, then run "witness-agent take-vote-back" here.`,
  ].join('\n')
}
