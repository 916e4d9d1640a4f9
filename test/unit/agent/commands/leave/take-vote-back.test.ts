import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { AgentStore } from '../../../../../agent/runtime/store.ts'
import { leftVotePath, writeLeftVote } from '../../../../../agent/check/left-vote-file.ts'
import { takeVoteBack } from '../../../../../agent/commands/leave/take-vote-back.ts'
import { epochLeapAfterLoss } from '../../../../../shared/core/vote/recovery.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

describe('take-vote-back', () => {
  const folder = temporaryFolder()
  const around = { bootId: 'boot-1', nowMs: (): number => 0 }
  const open = (): Promise<AgentStore> =>
    AgentStore.open({ stateDir: folder('state'), runDir: folder(), ...around })
  const take = (): Promise<string> => takeVoteBack({ stateDir: folder('state'), runDir: folder() }, around)

  beforeEach(() => mkdirSync(folder('state')))

  it('makes a vote that was left this node’s again, under an epoch above all that the other went through', async () => {
    await (await open()).record('VI_1', { to: 'lb01', epoch: 7, standing: true })
    await writeLeftVote(folder('state'), 'VI_1', true)

    const said = await take()
    assert.match(said, /The vote on VI_1 \(delegated to lb01, epoch 7\) belongs to this node again/)
    assert.match(said, /Power the other node off/)
    assert.equal(existsSync(leftVotePath(folder('state'), 'VI_1')), false)
    const { recovered } = { recovered: (await open()).recovered('VI_1') }
    assert.deepEqual(recovered, {
      kind: 'valid',
      ballot: { to: 'lb01', epoch: 7 + epochLeapAfterLoss },
      mark: null,
    })
  })

  it('changes no vote that is an ordinary promise, and says so', async () => {
    await (await open()).record('VI_1', { to: 'lb01', epoch: 7 })
    assert.match(await take(), /nothing was changed/)
    assert.deepEqual((await open()).recovered('VI_1'), {
      kind: 'valid',
      ballot: { to: 'lb01', epoch: 7 },
      mark: null,
    })
  })
})
