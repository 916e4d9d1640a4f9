/**
 * What each fault of the catalogue means to an operator: what is expected of the cluster, and which scenarios of the
 * lab show the same with real parts. docs/FAULTS.md is made from it (fault-figures.ts).
 */
import type { FaultKind } from './faults.ts'

export interface FaultEntry {
  readonly happens: string
  readonly expected: string
  /** Names of `npm run lab -- list`; empty: the simulator alone has it. */
  readonly lab: readonly string[]
}

export const faultBook: Readonly<Record<FaultKind, FaultEntry>> = {
  'vrrp-block': {
    happens: 'protocol 112 is dropped both ways between the nodes',
    expected:
      'the holder keeps the VIP; the other node is fenced within milliseconds after it promotes itself, and later is barred before it can',
    lab: [
      'vrrp-block',
      'vrrp-block-lasting',
      'witness-restart/vrrp-block',
      'gate-strict/vrrp-block',
      'names-differ/vrrp-block',
      'config-id/vrrp-block',
      'advert-pace/one-missed/vrrp-block',
      'advert-pace/fifth/vrrp-block',
      'advert-pace/tenth/vrrp-block',
    ],
  },
  'vrrp-block-one-way': {
    happens: 'protocol 112 is dropped in one direction',
    expected: 'as above; if the holder has the lower priority and hears the other node, it gives way to it',
    lab: ['vrrp-block-one-way/standby-deaf', 'vrrp-block-one-way/holder-deaf', 'nopreempt-one-way'],
  },
  'cut-link': {
    happens: 'everything between two hosts is dropped',
    expected:
      'if the nodes are cut from each other, the vote of the witness keeps the holder, the other node is barred, and there is no overlap; if a node is cut from the witness, the vote of the peer keeps the holder',
    lab: ['cut-ab', 'witness-restart/cut-ab', 'cold-start/cut-ab'],
  },
  'cut-one-way': {
    happens: 'everything from one host to another is dropped',
    expected: 'the same as a cut link, because a vote needs both directions',
    lab: [],
  },
  isolate: {
    happens: 'every frame from and to one host is dropped, but its carrier stays up',
    expected:
      'an isolated holder gives the VIP up before the other node takes it; an isolated standby or witness changes nothing',
    lab: [
      'isolate-holder',
      'isolate-holder-briefly',
      'lone-survivor-flap',
      'isolate-standby',
      'isolate-witness',
      'witness-restart/isolate-holder',
    ],
  },
  'isolate-one-way': {
    happens: 'every frame from one node is dropped; it still hears the others',
    expected: 'the same as an isolated node',
    lab: [],
  },
  unplug: {
    happens: 'a node loses its carrier',
    expected: 'keepalived itself goes to FAULT; the takeover is as fast as with keepalived alone',
    lab: ['unplug-holder'],
  },
  loss: {
    happens: '5 % of all frames are lost',
    expected: 'nobody is stopped',
    lab: ['loss'],
  },
  jitter: {
    happens: 'each frame is delayed by up to 200 ms',
    expected: 'nobody is stopped',
    lab: [],
  },
  duplicates: {
    happens: '5 % of all datagrams arrive twice',
    expected: 'nothing',
    lab: [],
  },
  'kill-agent': {
    happens: 'an agent gets SIGKILL',
    expected: 'the check asks the witness and keeps the VIP where it is',
    lab: ['kill-agent/holder', 'kill-agent/standby-blocked'],
  },
  'freeze-agent': {
    happens: 'an agent gets SIGSTOP',
    expected: 'the same as a dead agent; when the agent continues, it trusts nothing from before',
    lab: ['freeze-agent/holder', 'freeze-agent/standby-blocked'],
  },
  'kill-witness': {
    happens: 'the witness gets SIGKILL and comes back later',
    expected: 'the vote of the peer keeps the holder',
    lab: ['witness-restart/quiet', 'witness-dead-then-block'],
  },
  'freeze-witness': {
    happens: 'the witness gets SIGSTOP',
    expected:
      'the same as a dead witness; when the witness continues, it orders nothing based on old reports',
    lab: [],
  },
  'kill-keepalived': {
    happens: 'all of keepalived on a node gets SIGKILL; its VIP stays in the kernel',
    expected: 'the agent deletes the orphaned VIP and returns the votes; the other node takes over',
    lab: ['kill-keepalived'],
  },
  'freeze-keepalived': {
    happens: 'all of keepalived on a node gets SIGSTOP',
    expected:
      'a frozen holder keeps its lease and the VIP in its kernel; the other node promotes itself and is fenced',
    lab: ['freeze-keepalived'],
  },
  'stop-keepalived': {
    happens: 'the admin stops keepalived and starts it again later',
    expected: 'the takeover is as fast as with keepalived alone; the agent does not start keepalived',
    lab: ['clean-stop', 'preempt'],
  },
  'crash-host': {
    happens: 'a host loses power and boots again later',
    expected: 'the takeover is as fast as with keepalived alone',
    lab: [
      'kill-host',
      'reboot-holder-at-once',
      'witness-restart/kill-host',
      'gate-strict/kill-host',
      'advert-pace/one-missed/kill-host',
      'advert-pace/five-missed/kill-host',
      'advert-pace/fifth/kill-host',
      'advert-pace/tenth/kill-host',
    ],
  },
  'freeze-host': {
    happens: 'a virtual machine is paused while its clock runs on',
    expected:
      'the other node takes over; the old holder gives the VIP up within milliseconds after it continues',
    lab: [],
  },
  'clock-jump': {
    happens: 'the boot clock jumps 30 s ahead, as after a migration',
    expected: 'nothing; leases are confirmed again, and promises are kept for as long as before',
    lab: [],
  },
  'disk-slow': {
    happens: 'writes take up to 1.5 s',
    expected: 'nothing while the holder renews; a takeover waits for the disks of a majority',
    lab: [],
  },
  'disk-full': {
    happens: 'writes fail',
    expected: 'renewals continue; this voter votes for no new holder',
    lab: [],
  },
  'disk-rollback': {
    happens: 'a host comes back with the disk of an older snapshot',
    expected: 'the agents notice it if they remember a newer grant; everyone waits, and epochs jump ahead',
    lab: [],
  },
  'stop-fails': {
    happens: 'the stop command fails',
    expected: 'the bar has already removed the VIP; SIGKILL follows',
    lab: ['fence-fails/stop-fails', 'fence-fails/no-bar-stop-fails'],
  },
  'stop-hangs': {
    happens: 'the stop command hangs',
    expected: 'as above, after the time that the command is given',
    lab: ['fence-fails/stop-hangs', 'fence-fails/no-bar-stop-hangs'],
  },
  'gateway-lost': {
    happens: 'a node no longer reaches its gateway',
    expected:
      'a holder hands the VIP to a node that reaches its gateway: first the lease is revoked, then the release is proved, then the lease is granted',
    lab: ['gateway-lost'],
  },
  'disk-torn': {
    happens: 'the agent or the witness gets SIGKILL, and what it had on disk can no longer be read',
    expected:
      'the same as a dead daemon; when it is back, its voter gives its vote to nobody for `reserveMs`, and epochs jump ahead',
    lab: [],
  },
  clone: {
    happens: 'a clone of a node connects to the voters, from another boot and without the VIP',
    expected: 'it is reported; it gets no vote and returns none while the node is alive',
    lab: [],
  },
  replay: {
    happens: 'an earlier message of an agent is sent again, in a stream of its own',
    expected: 'the agent connects again; nothing else changes',
    lab: [],
  },
  leave: {
    happens:
      'an admin takes a node away: stops keepalived, then runs `witness-agent leave`; later both start again',
    expected:
      'its vote is delegated to the holder, which can then lose the witness and keep the VIP; the vote is returned when the node is back',
    lab: ['last-one-standing'],
  },
  drill: {
    happens: 'an admin orders a drill of a node',
    expected:
      'a standby proves its fence and comes back, and the holder is not touched; on a holder it is refused',
    lab: ['drill/standby', 'drill/agent-dies'],
  },
  'drill-holder': {
    happens: 'an admin orders a drill of a node and allows the VIP to move',
    expected: 'a holder gives the VIP up and proves it, and the other node takes it; on a standby as above',
    lab: ['drill/holder'],
  },
  'kill-agent-in-fence': {
    happens:
      'an agent gets SIGKILL between any two steps of stopping keepalived, or while that stop goes on without it',
    expected: 'the next agent starts keepalived again; if nothing is fenced, no agent is killed',
    lab: ['kill-agent/in-its-fence'],
  },
  'weight-fails': {
    happens: "the admin's own script with a weight fails on a node, without `nopreempt`",
    expected:
      'keepalived runs with another priority, and the VIP moves if keepalived alone would move it; nobody is stopped',
    lab: ['weight-script', 'weight-positive', 'weight-equal-base', 'weight-interface', 'weight-file'].flatMap(
      (name) => [`${name}/preempt`, `${name}/nopreempt`],
    ),
  },
}
