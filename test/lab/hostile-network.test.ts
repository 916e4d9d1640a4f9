/** What attackers on the network do to everybody else, one after the other: these measure time. Needs root. */
import assert from 'node:assert/strict'
import { sweepAbandonedFolders } from './lab-folder.ts'
import { buildProduct } from './lab-programs.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { runOnce } from './runner.ts'
import { hostileNetworks } from './scenarios/hostile-network.ts'

describe('a hostile network', function () {
  this.timeout(3 * 60_000)
  let product: string

  before(async () => {
    assertPrerequisites()
    sweepAbandonedFolders()
    product = await buildProduct()
  })

  for (const scenario of hostileNetworks)
    it(`${scenario.name}: ${scenario.musts.map(({ says }) => says).join('; ')}`, async () => {
      const { run, broken } = await runOnce(scenario, {
        arbiter: 'witness',
        pace: 'quick',
        product,
        number: 1,
      })
      const complaints = broken.map(({ must, seen, logs }) => `${must}: ${seen} (logs in ${logs ?? '-'})`)
      assert.deepEqual(complaints, [], `${complaints.join('\n')}\n${JSON.stringify(run.siege, null, 1)}`)
    })
})
