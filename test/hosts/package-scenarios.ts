/** What installing the package does to a cluster in service. */
import assert from 'node:assert/strict'
import { type DebPackage } from './deb-packages.ts'
import { hostNames, type HostName, type HostsLab } from './hosts-lab.ts'
import { type HostsScenario } from './scenario.ts'
import { nothingMoves, unitOf, untilConnected } from './scenarios.ts'
import { handOutPackage, sections, walkThrough } from './walk-through.ts'

/** The README's upgrade of all three hosts, one after the other. */
export function upgrade(to: DebPackage): HostsScenario {
  return {
    name: 'upgrade',
    fault: `witness and agents are upgraded to ${to.version} in service`,
    cast: ({ holder }) => ({
      faults: hostNames.map(
        (where) => ({ kind: where === 'witness' ? 'kill-witness' : 'kill-agent', where }) as const,
      ),
      begin: async (lab) => {
        await handOutPackage(lab, to)
        await walkThrough(lab, sections.upgrade, () => undefined)
        await untilConnected(lab)
      },
      faultMs: 0,
      heal: () => Promise.resolve(),
      musts: nothingMoves(holder),
      after: (lab) => assertRuns(lab, hostNames, to),
    }),
  }
}

/** Back to the version before, as after an upgrade that one wants to undo. */
export function downgrade(to: DebPackage): HostsScenario {
  return {
    name: 'downgrade',
    fault: `witness and holder are downgraded to ${to.version} in service`,
    cast: ({ holder }) => ({
      faults: [
        { kind: 'kill-witness', where: 'witness' },
        { kind: 'kill-agent', where: holder },
      ],
      begin: async (lab) => {
        await handOutPackage(lab, to)
        for (const name of ['witness', holder] as const) {
          const line = 'sudo apt-get install --yes --allow-downgrades ./keepalived-witness_*.deb'
          const { code, stderr } = await lab.host(name).type(line, '')
          assert.equal(code, 0, stderr)
        }
        await untilConnected(lab)
      },
      faultMs: 0,
      heal: () => Promise.resolve(),
      musts: nothingMoves(holder),
      after: (lab) => assertRuns(lab, ['witness', holder], to),
    }),
  }
}

/** dpkg has installed it, and the daemon that runs was started from it. */
async function assertRuns(lab: HostsLab, names: readonly HostName[], { version }: DebPackage): Promise<void> {
  for (const name of names) {
    const host = lab.host(name)
    assert.equal(
      await host.run('dpkg-query', '--show', '--showformat=${Version}', 'keepalived-witness'),
      version,
    )
    const pid = (await host.run('systemctl', 'show', '--property=MainPID', '--value', unitOf[name])).trim()
    const program = await host.run('readlink', `/proc/${pid}/exe`)
    assert.doesNotMatch(program, /deleted/, `${name} still runs the previous program`)
  }
}
