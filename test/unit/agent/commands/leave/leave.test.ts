import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { leaveExits, runLeave, type LeaveExit } from '../../../../../agent/commands/leave/leave.ts'
import {
  takeLeaveRequest,
  writeLeaveAnswer,
  type LeaveOutcome,
} from '../../../../../agent/commands/leave/request.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

describe('leave', () => {
  const folder = temporaryFolder()

  /** The agent answers so at the first look that finds the request; null: no agent runs. */
  async function leave(
    outcome: LeaveOutcome | null,
    { stopAgent = null, takes = outcome !== null }: { stopAgent?: string[] | null; takes?: boolean } = {},
  ): Promise<{ exit: LeaveExit; said: string }> {
    const said: string[] = []
    let atMs = 0
    const exit = await runLeave(
      { runDir: folder() },
      {
        bootId: 'boot-1',
        nowMs: () => atMs,
        pauseMs: (durationMs) => {
          atMs += durationMs
          const id = takes ? takeLeaveRequest(folder(), { bootId: 'boot-1', atMs }) : null
          if (id !== null && outcome !== null) writeLeaveAnswer(folder(), { id, outcome })
          return Promise.resolve()
        },
        say: (line) => said.push(line),
        stopAgent,
      },
    )
    return { exit, said: said.join('\n') }
  }
  const left: LeaveOutcome = { kind: 'left', votes: { VI_1: { to: 'lb01', epoch: 7 } } }

  it('stops the agent once the vote counts at the other node, and says what that means', async () => {
    const { exit, said } = await leave(left, { stopAgent: ['touch', folder('stopped')] })
    assert.equal(exit, leaveExits.left)
    assert.ok(existsSync(folder('stopped')))
    assert.match(said, /VI_1: this node's vote is delegated to lb01 \(epoch 7\), which has it on disk/)
    assert.match(said, /lb01 keeps the VIP even without the witness.*no node takes over/)
    assert.match(said, /To come back: systemctl start/)
    assert.match(said, /gone for good: power it off, then run "witness-agent take-vote-back"/)
  })

  it('stops nothing where the agent refuses or gives up', async () => {
    for (const kind of ['refused', 'failed'] as const) {
      const text = 'VI_1: keepalived is running on this node; stop it first (systemctl stop keepalived)'
      const { exit, said } = await leave({ kind, text }, { stopAgent: ['touch', folder('stopped')] })
      assert.equal(exit, leaveExits.notLeft)
      assert.equal(existsSync(folder('stopped')), false)
      assert.match(said, /has not left.*: VI_1: keepalived is running on this node/)
    }
  })

  it('takes its request back where no agent answers', async () => {
    const { exit, said } = await leave(null)
    assert.equal(exit, leaveExits.notLeft)
    assert.match(said, /nothing was changed: the agent did not answer within 8 s/)
    assert.equal(takeLeaveRequest(folder(), { bootId: 'boot-1', atMs: 0 }), null)
  })

  it('says so where the agent took the request and died', async () => {
    const { exit, said } = await leave(null, { takes: true })
    assert.equal(exit, leaveExits.notLeft)
    assert.match(said, /took the request, but did not answer/)
  })

  it('says so where the vote is left and the agent cannot be stopped', async () => {
    const { exit, said } = await leave(left, { stopAgent: ['false'] })
    assert.equal(exit, leaveExits.notLeft)
    assert.match(said, /The vote is delegated, but the agent could not be stopped \("false": exit code 1\)/)
  })
})
