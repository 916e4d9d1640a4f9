/**
 * `witness-agent take-vote-back`: the operator states that the node to which this one delegated its vote will not
 * come back by itself. The agent must not run, because it has the same file in memory.
 */
import type { Command } from 'commander'
import { bootClockMs, bootId } from '../../../shared/host/boot-clock.ts'
import { loadConfig } from '../../../shared/host/config-file.ts'
import { lockFolder } from '../../../shared/disk/folder-lock.ts'
import { AgentStore } from '../../runtime/store.ts'
import { agentConfigSchema, type AgentConfig } from '../../config.ts'
import { writeLeftVote } from '../../check/left-vote-file.ts'

export function addTakeVoteBackCommand(program: Command): void {
  program
    .command('take-vote-back')
    .description(
      'Takes back the vote that this node delegated to its peer, when the peer is gone for good. The agent must be stopped.',
    )
    .action(async (_options: unknown, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>()
      const said = await takeVoteBack(loadConfig(config, agentConfigSchema), {
        bootId: bootId(),
        nowMs: bootClockMs,
      })
      process.stdout.write(`${said}\n`)
    })
}

/**
 * @returns what was done, for the operator
 * @throws FolderLockError where the agent runs, DurableFileError
 */
export async function takeVoteBack(
  { stateDir, runDir }: Pick<AgentConfig, 'stateDir' | 'runDir'>,
  around: { readonly bootId: string; readonly nowMs: () => number },
): Promise<string> {
  // The lock lasts as long as this process, which ends after this command.
  lockFolder({
    path: stateDir,
    program: 'witness-agent',
    option: 'stateDir',
    bootId: around.bootId,
  })
  const store = await AgentStore.open({ stateDir, runDir, ...around })
  const stood = Object.entries(await store.takeVotesBack())
  for (const [instance] of stood) await writeLeftVote(stateDir, instance, false)
  if (stood.length === 0) return 'This node has not delegated a vote to another node; nothing was changed.'
  const what = stood.map(
    ([instance, { to, epoch }]) =>
      `The vote on ${instance} (delegated to ${to}, epoch ${epoch}) belongs to this node again.`,
  )
  return (
    `${what.join('\n')}\n` +
    'Power the other node off before you start this agent. If it still runs, cut off from this node and from the witness,\n' +
    'it keeps the VIP because of that vote, and then both nodes have the VIP.\n' +
    '  systemctl start witness-agent'
  )
}
