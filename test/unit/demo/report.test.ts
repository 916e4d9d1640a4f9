import assert from 'node:assert/strict'
import { displayWidth } from '../../demo/display-width.ts'
import { languages } from '../../demo/language.ts'
import { reportOf } from '../../demo/report.ts'
import { textsIn } from '../../demo/texts.ts'
import { brokenPromises } from '../../demo/verdict.ts'
import { painter } from '../../../server/witnessctl/paint.ts'
import { aloneRun, witnessRun } from './example-run.ts'

const plain = painter({ isTty: false, noColor: undefined })
const pairs = { alone: { run: aloneRun(), attempts: [] }, witness: { run: witnessRun(), attempts: [] } }

describe('the report of the demo', () => {
  for (const language of languages)
    it(`fits into 80 columns and has no colour code where there is no terminal (${language})`, () => {
      const { text } = reportOf(pairs, textsIn(language), plain)
      for (const line of text.split('\n')) assert.ok(displayWidth(line) < 80, line)
      assert.equal(text.includes('\u001b'), false)
    })

  it('says the same in colour', () => {
    const colour = painter({ isTty: true, noColor: undefined })
    const coloured = reportOf(pairs, textsIn('en'), colour).text
    assert.notEqual(coloured, reportOf(pairs, textsIn('en'), plain).text)
    // eslint-disable-next-line no-control-regex
    assert.equal(coloured.replaceAll(/\u001b\[\d+m/g, ''), reportOf(pairs, textsIn('en'), plain).text)
  })

  it('compares what was measured', () => {
    const { text, broken } = reportOf(pairs, textsIn('en'), plain)
    assert.deepEqual(broken, [])
    assert.match(text, /two nodes had the VIP +5\.10 s +2\.5 ms/)
  })
})

describe('the verdict of the demo', () => {
  it('is fine where split brain came without the witness and ended with it', () => {
    assert.deepEqual(brokenPromises({ alone: aloneRun(), witness: witnessRun() }), [])
  })

  it('is broken where keepalived alone never split', () => {
    const alone = aloneRun()
    const broken = brokenPromises({
      alone: { ...alone, fault: { ...alone.fault, overlapMs: 0, ownersAtEnd: ['lb01'] } },
      witness: witnessRun(),
    })
    assert.deepEqual(broken, [{ promise: 'alone-splits', seenMs: 0 }])
  })

  it('is broken where the witness did what keepalived alone does', () => {
    const promises = brokenPromises({ alone: aloneRun(), witness: aloneRun() }).map(({ promise }) => promise)
    assert.deepEqual(promises, [
      'witness-ends-split',
      'holder-keeps-vip',
      'loser-fenced-once',
      'loser-stopped',
      'loser-back',
    ])
  })
})
