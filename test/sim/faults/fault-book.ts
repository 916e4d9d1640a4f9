/**
 * What each fault of the catalogue means to an operator: what is expected of the cluster, and which scenarios of the
 * lab show the same with real programs. The table of docs/FAULTS.md is made from it (fault-figures.ts).
 */
import type { FaultKind } from './faults.ts'

export interface FaultEntry {
  readonly happens: string
  readonly expected: string
  /** Names of `npm run lab -- list`; empty: only the simulator has this fault. */
  readonly lab: readonly string[]
}

export const faultBook: Readonly<Record<FaultKind, FaultEntry>> = {
  'vrrp-block': {
    happens: 'protocol 112 is dropped both ways between the nodes',
    expected:
      'the holder keeps the VIP; the other is fenced within milliseconds of its promotion, and later barred before it promotes itself',
    lab: ['vrrp-block', 'vrrp-block-lasting', 'witness-restart/vrrp-block', 'gate-strict/vrrp-block'],
  },
  'vrrp-block-one-way': {
    happens: 'protocol 112 is dropped in one direction',
    expected: 'as above; a holder of lower priority that hears the other yields to it',
    lab: ['vrrp-block-one-way/standby-deaf', 'vrrp-block-one-way/holder-deaf', 'nopreempt-one-way'],
  },
  'cut-link': {
    happens: 'everything between two hosts is dropped',
    expected:
      'if the nodes are cut from each other, the witness’s vote keeps the holder, the other is barred, no overlap; if one is cut from the witness, the peer’s vote keeps the holder',
    lab: ['cut-ab', 'witness-restart/cut-ab', 'cold-start/cut-ab'],
  },
  'cut-one-way': {
    happens: 'everything from one host to another is dropped',
    expected: 'as a cut link, because a vote needs both directions',
    lab: [],
  },
  isolate: {
    happens: 'every frame from and to one host is dropped; its carrier stays up',
    expected:
      'an isolated holder gives the VIP up before the other takes it; an isolated standby or witness changes nothing',
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
    expected: 'as an isolated node',
    lab: [],
  },
  unplug: {
    happens: 'a node loses its carrier',
    expected: 'keepalived itself goes to FAULT; takeover as fast as keepalived alone',
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
    happens: '5 % of all datagrams come twice',
    expected: 'nothing',
    lab: [],
  },
  'kill-agent': {
    happens: 'SIGKILL to an agent',
    expected: 'the check asks the witness and keeps the VIP where it is',
    lab: ['kill-agent/holder', 'kill-agent/standby-blocked'],
  },
  'freeze-agent': {
    happens: 'SIGSTOP to an agent',
    expected: 'as a dead agent; when it continues it trusts nothing from before',
    lab: ['freeze-agent/holder', 'freeze-agent/standby-blocked'],
  },
  'kill-witness': {
    happens: 'SIGKILL to the witness; it comes back later',
    expected: 'the peer’s vote keeps the holder',
    lab: ['witness-restart/quiet', 'witness-dead-then-block'],
  },
  'freeze-witness': {
    happens: 'SIGSTOP to the witness',
    expected: 'as a dead witness; when it continues it gives no orders on old reports',
    lab: [],
  },
  'kill-keepalived': {
    happens: 'SIGKILL to all of keepalived on a node; its VIP stays in the kernel',
    expected: 'the agent removes the orphaned VIP and releases the votes; the other node takes over',
    lab: ['kill-keepalived'],
  },
  'freeze-keepalived': {
    happens: 'SIGSTOP to all of keepalived on a node',
    expected:
      'a frozen holder keeps its lease and the VIP in its kernel; the other, which promotes itself, is fenced',
    lab: ['freeze-keepalived'],
  },
  'stop-keepalived': {
    happens: 'the admin stops keepalived and starts it again later',
    expected: 'takeover as fast as keepalived alone; the agent does not start it',
    lab: ['clean-stop', 'preempt'],
  },
  'crash-host': {
    happens: 'a host loses power and boots again later',
    expected: 'takeover as fast as keepalived alone',
    lab: ['kill-host', 'reboot-holder-at-once', 'witness-restart/kill-host', 'gate-strict/kill-host'],
  },
  'freeze-host': {
    happens: 'a virtual machine stands still while its clock runs on',
    expected: 'takeover; the old holder gives up within milliseconds of its return',
    lab: [],
  },
  'clock-jump': {
    happens: 'the boot clock jumps 30 s ahead, as after a migration',
    expected: 'nothing; leases are confirmed again, promises are kept for as long as before',
    lab: [],
  },
  'disk-slow': {
    happens: 'writes take up to 1.5 s',
    expected: 'nothing while the holder renews; a takeover waits for a majority’s disks',
    lab: [],
  },
  'disk-full': {
    happens: 'writes fail',
    expected: 'renewals continue; this voter votes for no new holder',
    lab: [],
  },
  'disk-rollback': {
    happens: 'a host comes back with a disk from an older snapshot',
    expected:
      'noticed if an agent remembers a grant that the disk does not; everyone waits, epochs jump ahead',
    lab: [],
  },
  'stop-fails': {
    happens: 'the stop command fails',
    expected: 'the bar has removed the VIP already; SIGKILL follows',
    lab: ['fence-fails/stop-fails', 'fence-fails/no-bar-stop-fails'],
  },
  'stop-hangs': {
    happens: 'the stop command hangs',
    expected: 'as above, after its share of the time',
    lab: ['fence-fails/stop-hangs', 'fence-fails/no-bar-stop-hangs'],
  },
  'gateway-lost': {
    happens: 'a node no longer reaches its gateway',
    expected:
      'a holder hands the VIP to a node that reaches it: it releases first, proves that, and then the other gets the votes',
    lab: ['gateway-lost'],
  },
  'disk-torn': {
    happens: 'SIGKILL to the agent or the witness, whose state on disk can no longer be read',
    expected:
      'as a dead daemon; when it is back, its voter gives its vote to nobody for T_g, epochs jump ahead',
    lab: [],
  },
  clone: {
    happens: 'a clone of a node speaks to the voters, from another boot and without the VIP',
    expected: 'reported; it gets no vote and gives none back while the node lives',
    lab: [],
  },
  replay: {
    happens: 'what an agent sent earlier is replayed on another connection',
    expected: 'the agent connects again; nothing else changes',
    lab: [],
  },
  leave: {
    happens:
      'an admin takes a node out of service: stops keepalived, then runs `witness-agent leave`; later both start again',
    expected:
      'its vote is left with the holder, which can therefore keep the VIP without the witness, and is handed back on return',
    lab: ['last-one-standing'],
  },
  drill: {
    happens: 'an admin orders a drill of a node',
    expected:
      'a standby proves its fence and comes back, the holder is not touched; the drill of a holder is refused',
    lab: ['drill/standby', 'drill/agent-dies'],
  },
  'drill-holder': {
    happens: 'an admin orders a drill of a node and allows the VIP to move',
    expected: 'a holder provably releases the VIP, and the other node takes it; on a standby as above',
    lab: ['drill/holder'],
  },
  'kill-agent-in-fence': {
    happens:
      'SIGKILL to an agent between any two steps of stopping keepalived, or while that stop continues without it',
    expected: 'the next agent starts keepalived again; if nothing is fenced, nobody is killed',
    lab: ['kill-agent/in-its-fence'],
  },
}
