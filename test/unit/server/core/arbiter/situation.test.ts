import assert from 'node:assert/strict'
import type { Occurrence } from '../../../../../server/core/arbiter/arbiter.ts'
import type { Judgement } from '../../../../../server/core/arbiter/judgement.ts'
import { judge } from '../../../../../server/core/arbiter/situation.ts'
import {
  claiming,
  holding,
  instance,
  peerUnheard,
  released,
  renewMs,
  reserveMs,
  silentAfterMs,
  Witness,
  type Agent,
} from '../../clusters/cluster-fixture.ts'

/** A node that never reported may still be booting for this long. */
const bootPatienceMs = 10_000
const master = { keepalived: 'MASTER', vips: 'held' } as const
const clone = { incarnation: 'lb01-clone-1', bootId: 'another-boot-1' }

/** Everything that operators could read of this situation, oldest first. */
function eventsOf(witness: Witness, situation: Judgement['situation']): Occurrence[] {
  return witness.happened.flatMap((effect) =>
    effect.type === 'occurred' && effect.occurrence.event === `situation.${situation}`
      ? [effect.occurrence]
      : [],
  )
}

/** lb01 holds, lb02 stands by, everybody answers ICMP. */
function settled(): { witness: Witness; lb01: Agent; lb02: Agent } {
  const witness = Witness.settled()
  const [lb01, lb02] = witness.agents()
  lb01.win(1)
  for (const node of ['lb01', 'lb02']) witness.echo(node, 0.4)
  return { witness, lb01, lb02 }
}

/** What the situation is now, and that operators read of it once, in the same words, however long it lasts. */
function expectOnce(
  witness: Witness,
  expected: Pick<Judgement, 'situation' | 'level' | 'subject'>,
  ...goOn: Agent[]
): Judgement {
  const judgement = judge(witness.arbiter, instance, witness.atMs)
  const { situation, level, subject } = judgement
  assert.deepEqual({ situation, level, subject }, expected, judgement.text)
  const [told, ...more] = eventsOf(witness, expected.situation)
  assert.ok(told !== undefined, `no event of ${situation}: ${witness.told().join()}`)
  assert.deepEqual(more, [])
  assert.deepEqual(
    { level: told.level, node: told.node, instance: told.instance, decision: told.decision },
    { level, node: subject, instance, decision: judgement.decision },
  )
  witness.pass(10 * renewMs, ...goOn)
  assert.equal(eventsOf(witness, expected.situation).length, 1, 'told again')
  return judgement
}

describe('situation', () => {
  describe('normal', () => {
    it('names the MASTER, the holder and its epoch', () => {
      const { witness, lb01, lb02 } = settled()
      const { text, decision } = expectOnce(
        witness,
        { situation: 'normal', level: 'info', subject: 'lb01' },
        lb01,
        lb02,
      )
      assert.equal(text, 'lb01 is MASTER. lb01 holds the lease (epoch 1).')
      assert.equal(decision, null)
    })

    it('names the epoch of the lease, also where a higher one was heard of', () => {
      const { witness, lb02 } = settled()
      lb02.beat({ epoch: 40 })
      assert.match(witness.situation().text, /epoch 1\b/)
    })

    it('is told anew when another node is the MASTER', () => {
      const { witness, lb01, lb02 } = settled()
      lb01.beat(released)
      lb02.win(2)
      assert.deepEqual(
        eventsOf(witness, 'normal').map(({ node }) => node),
        ['lb01', 'lb02'],
      )
    })

    it('goes by the holder’s own word while the witness has no vote of its own to go by', () => {
      const witness = new Witness()
      const [lb01] = witness.agents()
      lb01.beat({ ...holding(4), ask: null })
      assert.match(witness.situation().text, /lb01 is MASTER\. lb01 holds the lease/)
    })
  })

  describe('starting', () => {
    it('is what a witness says that has just started and hears no MASTER; it is no event', () => {
      const witness = new Witness()
      const [lb01, lb02] = witness.agents()
      witness.pass(bootPatienceMs - 1, lb01, lb02)
      assert.deepEqual([witness.situation().situation, witness.situation().level], ['starting', 'info'])
      assert.match(witness.situation().text, /just started; no node is MASTER yet/)
      assert.deepEqual(
        witness.told().filter((event) => event.startsWith('situation')),
        [],
      )
    })

    it('ends in no-master when nobody becomes MASTER', () => {
      const witness = new Witness()
      const [lb01, lb02] = witness.agents()
      witness.pass(bootPatienceMs, lb01, lb02)
      assert.equal(witness.situation().situation, 'no-master')
    })

    it('does not call a node missing that may still be booting', () => {
      const witness = new Witness()
      witness.agent('lb01').beat()
      assert.equal(witness.situation().situation, 'starting')
    })
  })

  describe('no-master', () => {
    it('says what each node reports', () => {
      const { witness, lb01, lb02 } = settled()
      witness.pass(bootPatienceMs, lb01, lb02)
      lb01.beat({ ...released, keepalived: 'FAULT', phase: 'fenced', why: 'lost its votes' })
      const { text } = expectOnce(
        witness,
        { situation: 'no-master', level: 'warning', subject: null },
        lb01,
        lb02,
      )
      assert.match(text, /^No node is MASTER; the first eligible claim wins\./)
      assert.match(text, /lb01: FAULT, VIP gone, fenced \(lost its votes\); lb02: BACKUP, VIP gone, standby/)
    })

    it('says so if no agent reports the instance any more', () => {
      const { witness, lb01, lb02 } = settled()
      witness.pass(bootPatienceMs, lb01, lb02)
      lb01.say([])
      lb02.say([])
      const { situation, text } = judge(witness.arbiter, instance, witness.atMs)
      assert.equal(situation, 'no-master')
      assert.equal(text, 'No node is MASTER; the first eligible claim wins. No agent reports this instance.')
    })
  })

  describe('agent-down', () => {
    it('of the holder: its promise is kept while its check renews it', () => {
      const { witness, lb01, lb02 } = settled()
      lb01.close()
      assert.equal(witness.situation().situation, 'agent-down', 'not seen at once')
      for (let second = 0; second < 3; second++) {
        witness.pass(1000, lb02)
        assert.equal(witness.check('lb01')?.permit, true)
      }
      const { text, decision } = judge(witness.arbiter, instance, witness.atMs)
      assert.match(
        text,
        /The agent of lb01 has sent no heartbeat for 3\.0 s.*answers ICMP.*lb01 holds the lease/,
      )
      assert.match(decision ?? '', /promise to lb01 kept/)
      const told = eventsOf(witness, 'agent-down')
      assert.deepEqual(
        told.map(({ level, node }) => [level, node]),
        [['warning', 'lb01']],
      )
      assert.equal(told[0]?.evidence.holder, 'lb01')
    })

    it('of the standby: the holder goes on, nothing is decided', () => {
      const { witness, lb01, lb02 } = settled()
      lb02.close()
      const { text, decision } = expectOnce(
        witness,
        { situation: 'agent-down', level: 'warning', subject: 'lb02' },
        lb01,
      )
      assert.match(text, /agent of lb02.*keepalived may still be running.*lb01 holds the lease \(epoch 1\)/)
      assert.equal(decision, null)
    })

    it('begins with 3R of silence on a connection that is still open', () => {
      const { witness, lb01, lb02 } = settled()
      witness.pass(silentAfterMs - 1, lb01)
      lb01.again()
      assert.equal(witness.situation().situation, 'normal')
      witness.pass(1)
      assert.equal(witness.situation().situation, 'agent-down')
      lb02.again()
      assert.equal(witness.situation().situation, 'normal')
    })
  })

  describe('host-down', () => {
    const die = (witness: Witness, agent: Agent): void => {
      agent.close()
      witness.echo(agent.hello.node, null, 2)
    }

    it('of the holder: its promise runs out, then the other node may take over', () => {
      const { witness, lb01, lb02 } = settled()
      die(witness, lb01)
      const { text, decision } = witness.situation()
      assert.equal(witness.situation().situation, 'host-down')
      assert.equal(witness.situation().level, 'critical')
      assert.match(
        text,
        /^lb01 has sent no heartbeat for 0\.0 s and does not answer ICMP, so the host is down or cut off/,
      )
      assert.match(decision ?? '', new RegExp(`expires ${reserveMs} ms after its last renewal`))
      witness.pass(reserveMs, lb02)
      const after = judge(witness.arbiter, instance, witness.atMs)
      assert.equal(after.level, 'critical')
      assert.match(after.text, /Nobody holds the lease/)
      assert.equal(after.decision, null)
      assert.equal(eventsOf(witness, 'host-down').length, 1)
    })

    it('of the standby is a warning: the holder goes on', () => {
      const { witness, lb01, lb02 } = settled()
      die(witness, lb02)
      const { text, decision } = expectOnce(
        witness,
        { situation: 'host-down', level: 'warning', subject: 'lb02' },
        lb01,
      )
      assert.match(text, /lb02.*host is down or cut off\. lb01 holds the lease \(epoch 1\)/)
      assert.equal(decision, null)
    })

    it('is told apart from agent-down by ICMP, each told once', () => {
      const { witness, lb01, lb02 } = settled()
      lb02.close()
      witness.pass(renewMs, lb01)
      witness.echo('lb02', null)
      assert.equal(witness.situation().situation, 'agent-down', 'one lost echo proves nothing')
      witness.echo('lb02', null)
      assert.equal(witness.situation().situation, 'host-down')
      const told = witness.told().filter((event) => event.endsWith('-down'))
      assert.deepEqual(told, ['situation.agent-down', 'situation.host-down'])
    })

    it('is what a node is that never reported, once it has had time to boot', () => {
      const witness = new Witness()
      const lb01 = witness.agent('lb01')
      lb01.beat()
      witness.pass(reserveMs, lb01)
      lb01.win(1)
      witness.echo('lb02', null, 2)
      assert.equal(witness.situation().situation, 'normal')
      witness.pass(bootPatienceMs, lb01)
      assert.equal(witness.situation().situation, 'host-down')
      assert.match(witness.situation().text, /lb02 has not reported yet/)
    })
  })

  describe('dual-master', () => {
    it('says who has the lease and who must stop', () => {
      const { witness, lb01, lb02 } = settled()
      lb02.beat(master)
      const { text, decision } = expectOnce(
        witness,
        { situation: 'dual-master', level: 'critical', subject: null },
        lb01,
        lb02,
      )
      assert.equal(text, 'lb01 and lb02 are both MASTER; lb01 has the lease, so lb02 must stop.')
      assert.equal(decision, 'lb02 must stop')
    })

    it('says that the votes decide while nobody has the lease, and orders nothing', () => {
      const witness = Witness.settled()
      const [lb01, lb02] = witness.agents()
      lb01.beat(master)
      lb02.beat(master)
      const { text, decision } = expectOnce(
        witness,
        { situation: 'dual-master', level: 'critical', subject: null },
        lb01,
        lb02,
      )
      assert.match(text, /both MASTER and nobody has the lease yet; the votes are deciding/)
      assert.equal(decision, null)
    })

    it('is over, and told anew when it comes again', () => {
      const { witness, lb02 } = settled()
      lb02.beat(master)
      lb02.beat()
      assert.equal(witness.situation().situation, 'normal')
      lb02.beat(master)
      assert.equal(eventsOf(witness, 'dual-master').length, 2)
      assert.equal(eventsOf(witness, 'normal').length, 2)
    })
  })

  describe('contested', () => {
    it('names the claim that waits for a rival', () => {
      const witness = Witness.settled()
      const [lb01] = witness.agents()
      lb01.beat({ ...claiming(1), ...peerUnheard })
      const { situation, level, subject, text } = judge(witness.arbiter, instance, witness.atMs)
      assert.deepEqual([situation, level, subject], ['contested', 'warning', null])
      assert.match(text, /^lb01 asked for the lease; the witness waits a moment for a rival claim\.$/)
      assert.equal(eventsOf(witness, 'contested').length, 1)
      lb01.again()
      assert.equal(eventsOf(witness, 'contested').length, 1)
    })
  })

  describe('id-conflict', () => {
    it('names the node, and goes before everything else', () => {
      const { witness, lb01, lb02 } = settled()
      const second = witness.agent('lb01', clone)
      lb02.beat(master)
      const { text, decision } = expectOnce(
        witness,
        { situation: 'id-conflict', level: 'critical', subject: 'lb01' },
        lb01,
        lb02,
        second,
      )
      assert.match(text, /Two live agents call themselves lb01, so neither is promoted.*own node name/)
      assert.equal(decision, 'no promotion')
    })

    it('is over when one of them is gone', () => {
      const { witness, lb01 } = settled()
      const second = witness.agent('lb01', clone)
      second.close()
      assert.equal(witness.situation().situation, 'normal')
      lb01.again()
      assert.equal(witness.situation().situation, 'normal')
    })

    it('is not claimed of a host that rebooted faster than its promise ran out', () => {
      const { witness, lb01 } = settled()
      lb01.close()
      witness.pass(renewMs)
      witness.agent('lb01', { incarnation: 'lb01-start-2', bootId: 'lb01-boot-2' }).beat()
      assert.ok(
        !witness.situation().text.includes('Two live agents'),
        'only one agent of lb01 is live: the other hung up',
      )
    })
  })
})
