import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { leftVotePath, writeLeftVote } from '../../../../agent/check/left-vote-file.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('left-vote file', () => {
  const folder = temporaryFolder()

  it('is there while the vote is left, and gone when it is back', async () => {
    const path = leftVotePath(folder(), 'VI_1')
    await writeLeftVote(folder(), 'VI_1', true)
    await writeLeftVote(folder(), 'VI_1', true)
    assert.equal(existsSync(path), true)
    await writeLeftVote(folder(), 'VI_1', false)
    await writeLeftVote(folder(), 'VI_1', false)
    assert.equal(existsSync(path), false)
  })

  it('tells where it cannot be written', async () => {
    await assert.rejects(writeLeftVote(folder('absent'), 'VI_1', true), /ENOENT/)
  })
})
