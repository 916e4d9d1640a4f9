import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { rehearseFence } from '../../../../agent/fence/rehearsal.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('rehearseFence', () => {
  const folder = temporaryFolder()

  it('leaves nothing behind', () => {
    rehearseFence(folder(), 100_000)
    assert.deepEqual(readdirSync(folder()), [])
  })
})
