/** What `witness-agent doctor` sees of a real keepalived: files that it has open, folders that it watches, checks that it runs. */
import assert from 'node:assert/strict'
import type { Finding } from '../../agent/commands/doctor/finding.ts'
import { everydaySetup } from './cluster-setup.ts'
import { ClusterUnderTest } from './cluster-under-test.ts'
import { LabFolder } from './lab-folder.ts'
import { buildProduct } from './lab-programs.ts'
import { labMount, productMount } from './namespace-host.ts'
import { assertPrerequisites } from './prerequisites.ts'
import { startWarm } from './steady-state.ts'

describe('the doctor on a node with a real keepalived', function () {
  this.timeout(180_000)
  let product = ''
  before(async () => {
    assertPrerequisites()
    product = await buildProduct()
  })

  async function examine(
    change: { tracked: boolean },
    meanwhile: (cluster: ClusterUnderTest) => Promise<void> = () => Promise.resolve(),
  ): Promise<(check: string) => string> {
    const folder = new LabFolder('memory')
    const cluster = await ClusterUnderTest.install(
      { ...everydaySetup, ...change, arbiter: 'witness', product },
      folder,
    )
    try {
      await startWarm(cluster)
      await meanwhile(cluster)
      const { stdout } = await cluster
        .host('lb02')
        .tryRun(
          process.execPath,
          `${productMount}/witness-agent.cjs`,
          ...['--config', `${labMount}/lb02/agent.yaml`, 'doctor', '--json'],
        )
      const findings = JSON.parse(stdout) as Finding[]
      return (check) =>
        findings
          .filter((finding) => finding.check === check)
          .map(({ verdict }) => verdict)
          .join()
    } finally {
      await cluster.remove()
    }
  }

  it('finds FIFO, bar, check and permit in use', async () => {
    const verdictOn = await examine({ tracked: true })
    const all = [
      'agent',
      'rights',
      'boot-clock',
      'keepalived',
      'fifo',
      'bar',
      'check-runs',
      'check-time',
      'permit',
    ]
    assert.deepEqual(
      all.map((check) => `${check}: ${verdictOn(check)}`),
      all.map((check) => `${check}: ok`),
    )
  })

  it('sees that keepalived runs no check where keepalived.conf does not track it', async () => {
    const verdictOn = await examine({ tracked: false })
    assert.equal(verdictOn('fifo'), 'ok')
    assert.equal(verdictOn('check-runs'), 'FAIL')
    assert.notEqual(verdictOn('keepalived.conf'), 'ok')
  })

  it('sees a dead agent by its lock and by its expired permit', async () => {
    const verdictOn = await examine({ tracked: true }, async (cluster) => {
      await cluster.signalAgent('lb02', 'KILL')
      await new Promise((resolve) => setTimeout(resolve, 3000))
    })
    assert.deepEqual([verdictOn('agent'), verdictOn('permit')], ['FAIL', 'FAIL'])
  })
})
