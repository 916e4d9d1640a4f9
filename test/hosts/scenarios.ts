/** What happens to real hosts, in this order. */
import assert from 'node:assert/strict'
import { instance, nodes, type LabNode } from '../lab/address-plan.ts'
import {
  bothKeepalivedRunAtEnd,
  fencesAtMost,
  keepalivedBackOn,
  keepalivedStoppedOn,
  keepsVip,
  nobodyFenced,
  outageAtMost,
  overlapAtMost,
  overlapBoundMs,
  ownerAfterHeal,
  takesVipOver,
} from '../lab/musts.ts'
import { admitVrrpAt, dropVrrpAt } from '../lab/packet-filter.ts'
import { pause, until } from '../lab/pause.ts'
import { type Must } from '../lab/scenario.ts'
import { hostNames, type HostName, type HostsLab } from './hosts-lab.ts'
import { readJournal } from './journal.ts'
import { powerOn, pullPower, reboot } from './power.ts'
import { type HostsScenario } from './scenario.ts'
import { clusterView } from './witness-word.ts'

/** What keepalived takes (masterDownMs at priority 100), plus time to notice on a busy machine. */
const oneTakeoverMs = 5500
/** A keepalived that ends announces it, so its peer waits only for its skew time. */
const handedOverMs = 2000

export const unitOf: Readonly<Record<HostName, string>> = {
  witness: 'witnessd',
  lb01: 'witness-agent',
  lb02: 'witness-agent',
}

/** The VIP stays where it is, and the clients do not notice. */
export function nothingMoves(holder: LabNode): readonly Must[] {
  return [...keepsVip(holder, { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()]
}

const nothing = (): Promise<void> => Promise.resolve()

export const splitBrain: HostsScenario = {
  name: 'split-brain',
  fault: 'both nodes drop protocol 112, as a firewall without the VRRP rule does',
  cast: ({ holder, standby }) => ({
    faults: [{ kind: 'vrrp-block', where: 'everywhere' }],
    begin: (lab) => onNodes((node) => dropVrrpAt(lab.host(node).box)),
    faultMs: 7000,
    heal: (lab) => onNodes((node) => admitVrrpAt(lab.host(node).box)),
    musts: [
      ...keepsVip(holder, { overlapMs: overlapBoundMs }),
      keepalivedStoppedOn(standby),
      keepalivedBackOn(standby),
      fencesAtMost(1, standby),
    ],
  }),
}

export const rebootWitness: HostsScenario = {
  name: 'reboot-witness',
  fault: 'the witness host is rebooted',
  cast: ({ holder }) => ({
    faults: [{ kind: 'kill-witness', where: 'witness' }],
    begin: (lab) => reboot(lab, 'witness'),
    faultMs: 0,
    heal: nothing,
    musts: nothingMoves(holder),
  }),
}

export const rebootStandby: HostsScenario = {
  name: 'reboot-standby',
  fault: 'the standby is rebooted',
  cast: ({ holder, standby }) => ({
    faults: [{ kind: 'crash-host', where: standby }],
    begin: (lab) => reboot(lab, standby),
    faultMs: 0,
    heal: nothing,
    musts: nothingMoves(holder),
  }),
}

export const rebootHolder: HostsScenario = {
  name: 'reboot-holder',
  fault: 'the holder is rebooted',
  cast: ({ holder, standby }) => ({
    faults: [{ kind: 'crash-host', where: holder }],
    begin: (lab) => reboot(lab, holder),
    faultMs: 4000,
    heal: nothing,
    musts: [...takesVipOver(standby, { overlapMs: 0 }), outageAtMost(handedOverMs), bothKeepalivedRunAtEnd()],
  }),
}

export const hostDeath: HostsScenario = {
  name: 'host-death',
  fault: 'the holder loses its power; the heal is its next boot',
  cast: ({ holder, standby }) => ({
    faults: [{ kind: 'crash-host', where: holder }],
    begin: (lab) => pullPower(lab, holder),
    faultMs: 6500,
    heal: (lab) => powerOn(lab, holder),
    musts: [
      ...takesVipOver(standby, { overlapMs: 0 }),
      outageAtMost(oneTakeoverMs),
      bothKeepalivedRunAtEnd(),
    ],
  }),
}

/** All three are without power, and one node alone is back. It does not get two of three votes. */
export const bootAlone: HostsScenario = {
  name: 'boot-alone',
  fault:
    'all hosts lose their power, and the former holder is the only one to come back; the heal is the witness',
  cast: ({ holder, standby }) => ({
    faults: hostNames.map((where) => ({ kind: 'crash-host', where }) as const),
    begin: async (lab) => {
      await Promise.all(hostNames.map((name) => pullPower(lab, name)))
      await powerOn(lab, holder)
    },
    faultMs: 8000,
    inFault: (lab) => {
      assert.deepEqual(lab.owners(), [], 'a node that reaches nobody has taken the VIP')
      return nothing()
    },
    heal: async (lab) => {
      await powerOn(lab, 'witness')
      await lab.untilOwner(holder)
      await powerOn(lab, standby)
    },
    musts: [ownerAfterHeal(holder), overlapAtMost(0), bothKeepalivedRunAtEnd()],
  }),
}

/** Until the agent is repaired, the check asks the witness for the node. */
export const crashLoop: HostsScenario = {
  name: 'agent-crash-loop',
  fault: 'the holder’s agent is killed, and its agent.yaml is broken: each start of it fails',
  cast: ({ holder }) => ({
    faults: [{ kind: 'kill-agent', where: holder }],
    begin: async (lab) => {
      lab.notes.note({ type: 'program', host: holder, program: 'agent', state: 'ended' })
      await lab.host(holder).shell(`
        cp -p /etc/keepalived-witness/agent.yaml /root/agent.yaml
        echo 'mode: [' >> /etc/keepalived-witness/agent.yaml
        systemctl kill --kill-whom=main --signal=KILL witness-agent`)
    },
    faultMs: 7000,
    inFault: async (lab) => {
      const restarts = Number(await property(lab, holder, 'NRestarts'))
      assert.ok(restarts >= 3, `systemd restarted it only ${restarts} times`)
      assert.notEqual(await property(lab, holder, 'SubState'), 'running')
    },
    heal: async (lab) => {
      await lab.host(holder).shell(`
        mv /root/agent.yaml /etc/keepalived-witness/agent.yaml
        systemctl restart witness-agent`)
    },
    musts: nothingMoves(holder),
  }),
}

const fillScript =
  'fallocate -l 2G /var/tmp/full 2>/dev/null || true; cat /dev/zero > /var/tmp/fuller 2>/dev/null || true'

export const diskFull: HostsScenario = {
  name: 'disk-full',
  fault: 'the disks of all three hosts are full to the last byte',
  cast: ({ holder }) => ({
    faults: hostNames.map((where) => ({ kind: 'disk-full', where }) as const),
    begin: async (lab) => {
      await Promise.all(hostNames.map((name) => lab.host(name).shell(fillScript)))
    },
    faultMs: 7000,
    inFault: async (lab) => {
      for (const name of hostNames) {
        const { code } = await lab.host(name).tryRun('sh', '-c', 'echo x > /var/lib/probe')
        assert.notEqual(code, 0, `the disk of ${name} is not full`)
      }
    },
    heal: async (lab) => {
      await Promise.all(
        hostNames.map((name) => lab.host(name).shell('rm -f /var/tmp/full /var/tmp/fuller /var/lib/probe')),
      )
    },
    musts: nothingMoves(holder),
  }),
}

/** The kernel clock of the hosts is not changed, because they share it with the real machine. */
export const wrongClocks: HostsScenario = {
  name: 'wrong-clocks',
  fault:
    'witnessd is started in 1996, the standby’s agent in 2046 and the holder’s in 2010 (libfaketime: the wall clock of these programs, certificates included)',
  cast: ({ holder, standby }) => ({
    faults: hostNames.map((where) => ({ kind: 'clock-jump', where }) as const),
    begin: async (lab) => {
      await startInTime(lab, 'witness', '-30y')
      await startInTime(lab, standby, '+20y')
      await startInTime(lab, holder, '-16y')
    },
    faultMs: 7000,
    inFault: async (lab) => {
      const view = await clusterView(lab.host('witness'))
      const connected = view?.nodes.filter((node) => node.connected).map(({ node }) => node) ?? []
      assert.deepEqual(connected.sort(), [...nodes], 'not every agent is connected to the witness')
      for (const name of hostNames)
        assert.ok(await hasWrongClock(lab, name), `${name}: the clock is not wrong`)
      for (const shift of ['-30y', '+20y'])
        assert.match(
          await checkWithoutPermit(lab, standby, shift),
          /; the witness: ./,
          `the check at ${shift}`,
        )
    },
    heal: async (lab) => {
      for (const name of hostNames) await startInTime(lab, name, null)
    },
    musts: nothingMoves(holder),
  }),
}

export const scenarios: readonly HostsScenario[] = [
  splitBrain,
  rebootWitness,
  rebootStandby,
  rebootHolder,
  hostDeath,
  bootAlone,
  crashLoop,
  diskFull,
  wrongClocks,
]

const preload = '$(ls /usr/lib/*/faketime/libfaketime.so.1)'

/** Restarts the host's daemon with another wall clock; null: the real one. Its boot clock stays. */
async function startInTime(lab: HostsLab, name: HostName, shift: string | null): Promise<void> {
  const folder = `/run/systemd/system/${unitOf[name]}.service.d`
  const [host, program] = name === 'witness' ? [name, 'witness' as const] : [name, 'agent' as const]
  lab.notes.note({ type: 'program', host, program, state: 'ended' })
  await lab.host(name).shell(
    shift === null
      ? `rm -r ${folder}`
      : `mkdir -p ${folder}
cat > ${folder}/clock.conf <<END
[Service]
Environment=LD_PRELOAD=${preload} FAKETIME=${shift} FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
END`,
  )
  await lab.host(name).shell(`systemctl daemon-reload; systemctl restart ${unitOf[name]}`)
  // An agent's own log shows that it runs.
  if (program === 'witness') lab.notes.note({ type: 'program', host, program, state: 'running' })
  await untilConnected(lab)
}

/** The time according to the daemon's own log. */
async function hasWrongClock(lab: HostsLab, name: HostName): Promise<boolean> {
  const stamps = (await readJournal(lab.host(name), unitOf[name])).flatMap(({ atMs, text }) => {
    const stamp = /^\{.*"time":"([^"]+)"/.exec(text)?.[1]
    return stamp === undefined ? [] : [Math.abs(Date.parse(stamp) - atMs)]
  })
  return (stamps.at(-1) ?? 0) > 365 * 24 * 3_600_000
}

/**
 * What the check answers at another wall-clock time if the agent left no permit, so that it has to ask the witness with
 * curl and TLS.
 */
async function checkWithoutPermit(lab: HostsLab, node: LabNode, shift: string): Promise<string> {
  return lab.host(node).shell(`
    rm -rf /root/probe
    cp -a /var/lib/keepalived-witness-agent /root/probe
    mkdir /root/probe/run
    sed -i 's|^RUN_DIR=.*|RUN_DIR=/root/probe/run|' /root/probe/check.conf
    faketime -f '${shift}' /usr/libexec/keepalived/witness-check --state-dir /root/probe ${instance} || true
    rm -rf /root/probe`)
}

/** Both agents are connected to the witness. */
export async function untilConnected(lab: HostsLab): Promise<void> {
  await until('both agents are connected to the witness', { withinMs: 20_000, everyMs: 200 }, async () => {
    const view = await clusterView(lab.host('witness'))
    return view?.nodes.filter(({ connected }) => connected).length === nodes.length ? true : null
  })
  // A vote that was asked for only now may still be on its way.
  await pause(500)
}

async function onNodes(act: (node: LabNode) => Promise<void>): Promise<void> {
  await Promise.all(nodes.map(act))
}

async function property(lab: HostsLab, name: HostName, property: string): Promise<string> {
  return (
    await lab.host(name).run('systemctl', 'show', '--property', property, '--value', unitOf[name])
  ).trim()
}
