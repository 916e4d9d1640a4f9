/**
 * The product as its users get it: the package, the README's commands, systemd, three booted Debian hosts. All tests
 * share one lab, in this order: each begins with what the one before left. Needs root.
 */
import assert from 'node:assert/strict'
import { nodes, peerOf } from '../lab/address-plan.ts'
import { ownershipFigures } from '../lab/vip-ownership.ts'
import { attemptsAtMost, longestHarmlessStallMs } from '../lab/runner.ts'
import { runStory } from '../lab/run-story.ts'
import { longestStallMs, watchStalls } from '../lab/stalls.ts'
import { configBefore } from '../lab/keepalived-config.ts'
import { hostNames, keepalivedConfPath } from './hosts-lab.ts'
import { downgrade, upgrade } from './package-scenarios.ts'
import { type PreparedHosts, prepareHosts } from './prepared-hosts.ts'
import { traces } from './protected-pair.ts'
import { playScenario } from './scenario-run.ts'
import { type HostsScenario } from './scenario.ts'
import { agentLogs, installByScript, purgeEverywhere, purgeInNoOrder } from './scripted-install.ts'
import { scenarios } from './scenarios.ts'
import { sections, walkThrough } from './walk-through.ts'

/** However this process ends, no hosts are left behind, because its `exit` handlers end them. */
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(signal, () => process.exit(code))

describe('hosts', function () {
  this.timeout(4 * 60_000)
  let prepared: PreparedHosts | null = null
  /** The lab itself failed in this test, so nothing after it says anything about the product. */
  let brokenBy: string | null = null

  before(async function () {
    this.timeout(8 * 60_000)
    prepared = await prepareHosts({ tell: (text) => console.log(`    ${text}`) })
  })

  after(async () => {
    await prepared?.lab.remove()
  })

  function hosts(): PreparedHosts {
    if (prepared === null) throw new Error('the hosts did not boot')
    if (brokenBy !== null) throw new Error(`the hosts are no longer usable since "${brokenBy}"`)
    return prepared
  }

  /** A test whose own failure makes the hosts unusable. */
  function step(name: string, run: (hosts: PreparedHosts) => Promise<void>): void {
    it(name, async () => {
      const usable = hosts()
      try {
        await run(usable)
      } catch (error) {
        if (!(error instanceof assert.AssertionError)) {
          brokenBy = name
          usable.lab.folder.keep()
          await usable.lab.keepJournals()
          console.log(`      the journals of the hosts are kept in ${usable.lab.folder.path}`)
        }
        throw error
      }
    })
  }

  /** @param attempts how often it may be played; all but the last say nothing if the machine stood still meanwhile */
  function plays(
    scenario: (hosts: PreparedHosts) => HostsScenario,
    { name, says, attempts }: { name: string; says: string; attempts: number },
  ): void {
    step(`${name}: ${says}`, async (usable) => {
      const stalls = watchStalls()
      for (let attempt = 1; ; attempt += 1) {
        const { run, broken } = await playScenario(usable.lab, scenario(usable))
        const { overlapMs, outageMs, longestDarkMs } = run.whole
        console.log(
          `      two VIPs ${overlapMs.toFixed(1)} ms, none ${outageMs.toFixed(0)} ms, client dark ${longestDarkMs.toFixed(0)} ms`,
        )
        const { fault, healed } = run.spans
        const stalledMs = longestStallMs(stalls, { fromMs: fault.fromMs, toMs: healed.toMs })
        if (broken.length === 0) return
        if (stalledMs <= longestHarmlessStallMs || attempt >= attempts)
          assert.deepEqual(broken, [], `${broken.join('\n')}\n${runStory(run)}`)
        console.log(
          `      attempt ${attempt} says nothing: the machine stood still for ${stalledMs} ms; ${broken.join('; ')}`,
        )
      }
    })
  }

  step('the README’s commands protect the pair, from package to a passed drill', async (usable) => {
    const { typed, tookMs, ownership } = await usable.protect(() => undefined)
    console.log(
      `      ${typed.length} commands, ${(tookMs / 1000).toFixed(1)} s; two VIPs ${ownership.overlapMs.toFixed(1)} ms, none ${ownership.outageMs.toFixed(0)} ms`,
    )
    assert.equal(ownership.overlapMs, 0, 'two nodes had the VIP during this')
    assert.deepEqual(ownership.ownersAtEnd, ['lb01'])
    assert.equal(ownership.outageMs, 0, 'nobody had the VIP for a while during this')
  })

  for (const scenario of scenarios)
    plays(() => scenario, { name: scenario.name, says: scenario.fault, attempts: attemptsAtMost })
  plays(({ packages }) => upgrade(packages.later), {
    name: 'upgrade',
    says: 'witness and agents, in service',
    attempts: 1,
  })
  plays(({ packages }) => downgrade(packages.present), {
    name: 'downgrade',
    says: 'witness and holder, in service',
    attempts: 1,
  })

  step('the package refuses to be removed while keepalived uses it', async ({ lab }) => {
    const { code, stdout, stderr } = await lab
      .host('lb02')
      .type('sudo apt-get remove --yes keepalived-witness', '')
    assert.notEqual(code, 0, `${stdout}${stderr}`)
    assert.equal((await lab.host('lb02').run('systemctl', 'is-active', 'witness-agent')).trim(), 'active')
  })

  step('the README’s commands take it away again, and no VIP moves', async ({ lab }) => {
    const fromMs = Date.now()
    const [holder] = lab.owners()
    await walkThrough(lab, sections.takeAway, () => undefined)
    const figures = ownershipFigures(lab.observer.changes(), { fromMs, toMs: Date.now() })
    assert.deepEqual(figures.ownersAtEnd, [holder])
    assert.deepEqual([figures.overlapMs, figures.outageMs], [0, 0], 'ms of two VIPs, and of none')
    for (const node of nodes)
      assert.equal(await lab.host(node).run('cat', keepalivedConfPath), configBefore(node), node)
    for (const name of hostNames) {
      assert.deepEqual(await traces(lab, name), [], `left on ${name}`)
      assert.equal((await lab.host(name).run('systemctl', '--failed', '--no-legend')).trim(), '', name)
    }
  })

  for (const [says, gapMs, holderFirst] of [
    ['at the same moment', 0, false],
    ['the holder three seconds before the standby', 3000, true],
  ] as const)
    step(
      `a script lets both nodes join, ${says}, before setup: the VIP stays where it is`,
      async (usable) => {
        const { lab } = usable
        const [holder] = lab.owners()
        assert.ok(holder !== undefined)
        await usable.handOut()
        const first = holderFirst ? holder : peerOf(holder)
        const { fromMs, ...figures } = await installByScript(lab, { first, gapMs })
        const logs = await agentLogs(lab, fromMs)
        assert.deepEqual(figures.ownersAtEnd, [holder], logs)
        assert.deepEqual(
          [figures.overlapMs, figures.outageMs],
          [0, 0],
          `ms of two VIPs, and of none\n${logs}`,
        )
        assert.doesNotMatch(logs, /releases the VIP/)
        assert.match(logs, /holds the lease/)
        if (!holderFirst) return purgeEverywhere(lab)
        const purged = await purgeInNoOrder(lab, { standby: peerOf(holder) })
        assert.deepEqual([purged.overlapMs, purged.outageMs], [0, 0], 'ms of two VIPs, and of none')
        assert.deepEqual(purged.ownersAtEnd, [holder])
        const [atFirst = '', withoutStandby = '', ...further] = purged.refusals
        assert.match(atFirst, /count on its vote: web\/lb01, web\/lb02\./)
        assert.match(withoutStandby, new RegExp(`count on its vote: web/${holder}\\.`))
        assert.deepEqual(further, [])
        for (const name of hostNames) assert.deepEqual(await traces(lab, name), [], `left on ${name}`)
      },
    )

  step('what is left is keepalived as it was: a dead holder is replaced', async ({ lab }) => {
    const [holder] = lab.owners()
    assert.ok(holder !== undefined)
    const standby = peerOf(holder)
    await lab.host(holder).pullPower()
    lab.observer.powerLost(holder, Date.now())
    await lab.untilOwner(standby)
  })
})
