import assert from 'node:assert/strict'
import { viewOf } from '../../../../../server/core/status/cluster-view.ts'
import { situations } from '../../../../../shared/protocol/view.ts'
import type { ClusterView } from '../../../../../shared/protocol/view.ts'
import { type FenceReport, type Report, guardPhases } from '../../../../../shared/protocol/report.ts'
import {
  claiming,
  holding,
  instance,
  peerUnheard,
  profile,
  released,
  renewMs,
  reserveMs,
  silentAfterMs,
  standby,
  Witness,
  type Agent,
} from '../../clusters/cluster-fixture.ts'

const master = { keepalived: 'MASTER', vips: 'held' } as const
const now = (witness: Witness): ClusterView => viewOf(witness.arbiter, witness.atMs)

interface Cluster {
  readonly witness: Witness
  readonly lb01: Agent
  readonly lb02: Agent
}

/** lb01 holds, lb02 stands by, everybody answers ICMP. */
function settled(): Cluster {
  const witness = Witness.settled()
  const [lb01, lb02] = witness.agents()
  lb01.win(1)
  for (const node of ['lb01', 'lb02']) witness.echo(node, 0.4)
  return { witness, lb01, lb02 }
}

function nodeOf(view: ClusterView, name: string): ClusterView['nodes'][number] {
  const node = view.nodes.find((one) => one.node === name)
  assert.ok(node !== undefined)
  return node
}

describe('cluster view', () => {
  it('shows the priority that keepalived runs with, and the configured one where it differs', () => {
    const { witness, lb01, lb02 } = settled()
    lb01.beat({ ...holding(1), priority: 90, configuredPriority: 150 })
    lb02.beat({ priorityMayDiffer: true })
    const [first] = nodeOf(now(witness), 'lb01').instances
    assert.deepEqual(
      [first?.priority, first?.configuredPriority, first?.priorityMayDiffer],
      [90, 150, undefined],
    )
    const [second] = nodeOf(now(witness), 'lb02').instances
    assert.deepEqual([second?.configuredPriority, second?.priorityMayDiffer], [undefined, true])
  })

  describe('of an instance', () => {
    it('shows the holder, the epoch of its lease and how long the vote is kept', () => {
      const { witness, lb02 } = settled()
      lb02.beat({ epoch: 40 })
      witness.pass(300)
      const [view] = now(witness).instances
      assert.deepEqual(
        { ...view, text: '' },
        {
          instance,
          vips: profile.vips,
          situation: 'normal',
          text: '',
          holder: 'lb01',
          epoch: 1,
          promiseLeftMs: reserveMs - 300,
        },
      )
    })

    it('shows nobody once the vote has run out, and the highest epoch that is known', () => {
      const { witness, lb02 } = settled()
      lb02.beat({ epoch: 40 })
      const view = viewOf(witness.arbiter, witness.atMs + reserveMs + silentAfterMs)
      const [shown] = view.instances
      assert.deepEqual([shown?.holder, shown?.epoch], [null, 40])
      assert.equal(shown?.promiseLeftMs ?? 0, 0)
    })

    it('shows the holder by its own word after a restart of the witness', () => {
      const witness = settled().witness.restarted({ marks: false })
      const [lb01] = witness.agents()
      lb01.beat({ ...holding(1), ask: null })
      const [view] = now(witness).instances
      assert.deepEqual([view?.holder, view?.promiseLeftMs], ['lb01', null])
    })

    it('lists each VIP once, of all nodes', () => {
      const witness = Witness.settled()
      witness.agent('lb01', { profiles: [{ ...profile, vips: ['10.0.0.100/24', '10.0.0.101/24'] }] }).beat()
      witness.agent('lb02').beat()
      assert.deepEqual(now(witness).instances[0]?.vips, ['10.0.0.100/24', '10.0.0.101/24'])
    })
  })

  describe('of a node', () => {
    it('shows what its agent said and how old that is', () => {
      const { witness } = settled()
      witness.pass(250)
      const node = nodeOf(now(witness), 'lb01')
      assert.deepEqual(
        [node.connected, node.mode, node.software, node.heartbeatAgeMs, node.address],
        [true, 'enforce', 'witness-agent 0.1.0', 250, '10.0.0.11'],
      )
      assert.deepEqual(
        node.instances.map(({ phase, keepalived, vips, allowed }) => [phase, keepalived, vips, allowed]),
        [['holding', 'MASTER', 'held', 'holds the lease']],
      )
    })

    it('that never reported is shown without anything made up', () => {
      assert.deepEqual(nodeOf(now(Witness.settled()), 'lb02'), {
        node: 'lb02',
        address: '10.0.0.12',
        connected: false,
        mode: null,
        software: null,
        heartbeatAgeMs: null,
        icmp: { roundTripMs: null, lossPercent: null },
        instances: [],
        warnings: [],
        lastDrill: null,
      })
    })

    it('that is silent is allowed nothing that is known, and its warnings are not repeated', () => {
      const { witness, lb01 } = settled()
      lb01.beat({ ...holding(1), warnings: ['keepalived never runs the check'] })
      assert.deepEqual(nodeOf(now(witness), 'lb01').warnings, ['keepalived never runs the check'])
      lb01.close()
      const node = nodeOf(now(witness), 'lb01')
      assert.deepEqual([node.connected, node.instances[0]?.allowed, node.warnings], [false, 'unknown', []])
    })

    it('shows the newest round trip and how many echoes were lost', () => {
      const { witness } = settled()
      witness.echo('lb01', 0.7)
      witness.echo('lb01', null, 2)
      assert.deepEqual(nodeOf(now(witness), 'lb01').icmp, { roundTripMs: 0.7, lossPercent: 50 })
    })

    it('says in every phase whether keepalived may become MASTER', () => {
      const { witness, lb02 } = settled()
      const allowed = guardPhases.map((phase) => {
        lb02.beat({ phase })
        return `${phase}: ${nodeOf(now(witness), 'lb02').instances[0]?.allowed ?? ''}`
      })
      assert.deepEqual(allowed, [
        'standby: may become MASTER',
        'probation: may become MASTER',
        'barred: barred',
        'gated: barred',
        'applying: barred',
        'entitled: may become MASTER',
        'claiming: may become MASTER',
        'holding: holds the lease',
        'unprotected: unprotected',
        'overruled: unprotected',
        'fencing: fenced',
        'fenced: fenced',
        'rejoining: may become MASTER',
        'drilling: in a drill',
      ])
    })

    it('with a second live agent of its name says so among its warnings', () => {
      const { witness } = settled()
      witness.agent('lb01', { incarnation: 'lb01-clone-1', bootId: 'another-boot-1' }).beat()
      assert.match(nodeOf(now(witness), 'lb01').warnings.join(), /two live agents call themselves lb01/)
    })
  })

  describe('the verdict', () => {
    const verdictAfter = (happen: (cluster: Cluster) => void): ClusterView['verdict'] => {
      const cluster = settled()
      happen(cluster)
      return now(cluster.witness).verdict
    }
    const fence = (result: FenceReport['result']): FenceReport => ({
      number: 1,
      reason: 'lost its votes',
      result,
      rung: 'kill',
      tookMs: 600,
    })
    const fencing = (result: FenceReport['result']): Partial<Report> => ({
      phase: 'fencing',
      why: 'the VIP does not go',
      keepalived: 'FAULT',
      fence: fence(result),
    })
    const lost = ({ witness }: Cluster, agent: Agent): void => {
      agent.close()
      witness.echo(agent.hello.node, null, 2)
    }

    it('is ok where one node is MASTER with the lease and the other may follow', () => {
      const verdict = verdictAfter(() => undefined)
      assert.deepEqual(verdict, {
        level: 'ok',
        text: 'VI_1: lb01 is MASTER. lb01 holds the lease (epoch 1).',
      })
    })

    it('is a warning where the witness itself is not well, and names it', () => {
      const { witness } = settled()
      const view = viewOf(witness.arbiter, witness.atMs, { witnessWarnings: ['its disk is slow'] })
      assert.deepEqual(view.verdict, { level: 'warning', text: 'witness: its disk is slow' })
      assert.deepEqual(view.witnessWarnings, ['its disk is slow'])
    })

    it('has a level for every situation', () => {
      const levels: Record<string, (cluster: Cluster) => void> = {
        'normal ok': () => undefined,
        'dual-master critical': ({ lb02 }) => lb02.beat(master),
        'id-conflict critical': ({ witness }) =>
          witness.agent('lb01', { incarnation: 'lb01-clone-1', bootId: 'another-boot-1' }).beat(),
        'agent-down warning': ({ lb02 }) => lb02.close(),
        'host-down warning': (cluster) => lost(cluster, cluster.lb02),
        'host-down critical': (cluster) => {
          lost(cluster, cluster.lb01)
          cluster.witness.pass(reserveMs, cluster.lb02)
        },
        'no-master critical': ({ witness, lb01, lb02 }) => {
          witness.pass(10_000, lb01, lb02)
          lb01.beat(released)
        },
        'contested warning': ({ lb01, lb02 }) => {
          lb01.beat(released)
          lb02.beat({ ...claiming(2), ...peerUnheard })
        },
      }
      for (const [expected, happen] of Object.entries(levels)) {
        const cluster = settled()
        happen(cluster)
        const { verdict, instances } = now(cluster.witness)
        assert.equal(`${instances[0]?.situation ?? ''} ${verdict.level}`, expected)
        assert.ok(verdict.text.endsWith(instances[0]?.text ?? '?'), verdict.text)
      }
      const started = new Witness()
      started.agents()
      assert.deepEqual(
        [now(started).instances[0]?.situation, now(started).verdict.level],
        ['starting', 'warning'],
      )
      const named = [...Object.keys(levels).map((text) => text.split(' ')[0]), 'starting']
      assert.deepEqual([...new Set(named)].sort(), [...situations].sort())
    })

    it('is critical where a fence failed and the node has not given the VIP up', () => {
      const { level, text } = verdictAfter(({ lb02 }) => lb02.beat(fencing('failed')))
      assert.equal(level, 'critical')
      assert.equal(text, 'lb02 cannot release the VIP: the VIP does not go')
    })

    it('is a warning where the standby could not take over, with its own reason', () => {
      for (const changes of [
        { phase: 'barred' as const, why: 'lb01 is not heard here' },
        { phase: 'fenced' as const, why: 'lb01 is not heard here', fence: fence('proved') },
      ]) {
        const { level, text } = verdictAfter(({ lb02 }) => lb02.beat(changes))
        assert.equal(level, 'warning')
        assert.equal(text, 'lb02 cannot take over now: lb01 is not heard here')
      }
    })

    it('is a warning where an agent warns, in its words', () => {
      const { level, text } = verdictAfter(({ lb02 }) => lb02.beat({ warnings: ['observe mode'] }))
      assert.deepEqual([level, text], ['warning', 'lb02: observe mode'])
    })

    it('names the worst of several instances', () => {
      const { level, text } = verdictAfter(({ lb01, lb02 }) => {
        const second = { ...standby, instance: 'VI_2', ...master }
        lb01.say([{ ...standby, ...holding(1) }, second])
        lb02.say([standby, second])
      })
      assert.equal(level, 'critical')
      assert.match(text, /both MASTER and nobody has the lease/)
    })

    it('is never ok before any agent has reported', () => {
      const { level, text } = now(Witness.settled()).verdict
      assert.equal(level, 'warning')
      assert.match(text, /^No agent has reported a vrrp_instance yet; run "witness-agent doctor"/)
    })

    it('is never ok where a node that should stand by is not live', () => {
      const { witness, lb01 } = settled()
      witness.pass(10 * renewMs, lb01)
      assert.notEqual(now(witness).verdict.level, 'ok')
    })

    it('is never ok where the only MASTER has no lease', () => {
      for (const phase of ['unprotected', 'overruled'] as const) {
        const { level, text } = verdictAfter(({ witness, lb01, lb02 }) => {
          lb01.beat({ ...master, phase, why: 'neither witness nor peer was heard' })
          witness.pass(reserveMs, lb01, lb02)
        })
        assert.notEqual(level, 'ok', `${phase}: ${text}`)
      }
    })
  })

  it('counts the messages that changed nothing', () => {
    const { witness } = settled()
    witness.agent('lb09')
    witness.agent('lb09')
    assert.deepEqual(now(witness).refusedMessages, { 'unknown-node': 2 })
  })

  it('shows what is so at the instant of the question, without an event in between', () => {
    const { witness } = settled()
    const later = viewOf(witness.arbiter, witness.atMs + silentAfterMs)
    assert.equal(later.instances[0]?.situation, 'agent-down')
    assert.equal(nodeOf(later, 'lb01').connected, false)
  })
})
