import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describeDecisions, goldenFile } from './decisions.ts'
import { firstDifference } from './difference.ts'

describe('the table of decisions', () => {
  it('is what the code decides; where that is meant to change, "npm run golden" writes it anew', function () {
    this.timeout(600_000)
    const difference = firstDifference(readFileSync(goldenFile, 'utf8'), describeDecisions())
    if (difference !== null) assert.fail(`decisions.md is not what the code says, ${difference}`)
  })

  it('is the same each time it is written', function () {
    this.timeout(600_000)
    assert.equal(firstDifference(describeDecisions(), describeDecisions()), null)
  })
})

describe('the first difference of two tables', () => {
  it('is none where they are the same', () => {
    assert.equal(firstDifference('a\nb\n', 'a\nb\n'), null)
  })

  it('shows the lines that were changed, with their number', () => {
    assert.equal(firstDifference('a\nb\nc\n', 'a\nx\nc\n'), 'from line 2 on:\n- b\n+ x')
  })

  it('shows lines that are missing or new', () => {
    assert.equal(firstDifference('a\nc\n', 'a\nb\nc\n'), 'from line 2 on:\n+ b')
    assert.equal(firstDifference('a\nb\n', 'a\n'), 'from line 2 on:\n- b')
  })
})
