/** What setup found, for the admin to read before the lines are added. */
import { all, at, knownWord, type Statement } from '../../keepalived-conf/statements.ts'
import { isCheck, type MissingLine } from '../../keepalived-conf/missing-lines.ts'
import { priorityChanges, priorityChangesSince } from '../../keepalived-conf/product-lines.ts'
import { elsewhereAdvice } from '../../keepalived/process.ts'
import type { Profile } from '../../../shared/protocol/plan.ts'
import { masterDownMs, promotionWarning, type Timing } from '../../../shared/core/timing.ts'
import { globalsOf, lacksNopreempt, runsOwnPrograms } from './conf-plan.ts'

export interface Report {
  /** One for each instance. */
  readonly instances: string[]
  /** What would keep the protection from working as it should. */
  readonly warnings: string[]
  /** What the admin may want to change. */
  readonly advice: string[]
}

interface Subject {
  readonly root: Statement[]
  readonly instances: Statement[]
  readonly profiles: readonly Profile[]
  readonly missing: readonly MissingLine[]
  readonly parserWarnings: readonly string[]
  readonly timing: Timing
}

export function reportOf(subject: Subject): Report {
  const { root, instances, profiles, missing, parserWarnings, timing } = subject
  const pairs = instances.flatMap((instance, index) => {
    const profile = profiles[index]
    return profile === undefined ? [] : [{ instance, profile }]
  })
  return {
    instances: pairs.map(({ instance, profile }) => described(root, instance, profile)),
    warnings: [
      ...parserWarnings,
      ...missing.flatMap(({ kind, text }) => (kind === 'wrong' ? [text] : [])),
      ...pairs.flatMap(({ instance, profile }) => timingWarnings(instance, profile, timing)),
      ...syncGroupWarnings(root),
      ...namespaceWarnings(root),
      ...pairs.flatMap(({ instance, profile }) => staticAddressWarnings(root, instance, profile)),
    ],
    advice: [
      ...globalAdvice(root, instances),
      priorityAdvice(profiles),
      ...pairs.flatMap(({ instance, profile }) => instanceAdvice(instance, profile)),
    ],
  }
}

function described(root: Statement[], instance: Statement, profile: Profile): string {
  const group = groupsOf(root).find(({ members }) => members.includes(profile.instance))
  const peers = entries(instance, 'unicast_peer')
  const vmac = all(instance.block, 'use_vmac')[0]
  const excluded = entries(instance, 'virtual_ipaddress_excluded').length
  return [
    `${profile.instance} (${at(instance)}): VIPs ${profile.vips.join(', ') || 'none'}`,
    ...(excluded === 0 ? [] : [`${excluded} of them excluded from the adverts`]),
    `priority ${profile.priority}`,
    profile.nopreempt ? 'nopreempt' : 'preempts',
    `VRRP version ${profile.version}`,
    `advert_int ${profile.advertIntMs / 1000} s (promotes itself after ${(masterDownMs(profile) / 1000).toFixed(2)} s)`,
    peers.length === 0 ? 'multicast' : `unicast to ${peers.join(', ')}`,
    ...(vmac === undefined
      ? []
      : [`on a virtual MAC${vmac.words[1] === undefined ? '' : ` (${vmac.words[1]})`}`]),
    ...(group === undefined ? [] : [`in sync group ${group.name}`]),
  ].join(', ')
}

function entries(instance: Statement, keyword: string): string[] {
  return all(instance.block, keyword).flatMap((of) =>
    (of.block ?? []).map((line) => knownWord(line, 0) ?? ''),
  )
}

function timingWarnings(instance: Statement, profile: Profile, timing: Timing): string[] {
  const warning = promotionWarning(profile, timing)
  return warning === null ? [] : [`${at(instance)}: ${profile.instance}: ${warning}`]
}

/** keepalived adds a static address in every state, and never removes it while it runs. */
function staticAddressWarnings(root: Statement[], instance: Statement, profile: Profile): string[] {
  const vips = new Set(profile.vips.map(withoutPrefix))
  return all(root, 'static_ipaddress')
    .flatMap(({ block }) => block ?? [])
    .flatMap((line) => {
      const address = withoutPrefix(line.words[0] ?? '')
      if (!vips.has(address)) return []
      return `${at(line)}: ${profile.instance}: ${address} is in static_ipaddress and is a VIP of this instance (${at(instance)}), so a node that is BACKUP has it, too, is fenced once because of it, and then left alone with it: two hosts have the address. Remove it from static_ipaddress on both nodes`
    })
}

function withoutPrefix(written: string): string {
  return written.split('/')[0] ?? ''
}

interface Group {
  readonly statement: Statement
  readonly name: string
  readonly members: string[]
}

function groupsOf(root: Statement[]): Group[] {
  return all(root, 'vrrp_sync_group').map((statement) => ({
    statement,
    name: statement.words[1] ?? '',
    members: all(statement.block, 'group').flatMap((of) => (of.block ?? []).flatMap(({ words }) => words)),
  }))
}

function syncGroupWarnings(root: Statement[]): string[] {
  return groupsOf(root).flatMap(({ statement, name, members }) =>
    members.length < 2
      ? []
      : [
          `${at(statement)}: ${members.join(', ')} are in sync group ${name}, so a bar or a failed check of one puts all of them into FAULT, and they move together`,
        ],
  )
}

/** The agent sees the addresses of its own network namespace only. */
function namespaceWarnings(root: Statement[]): string[] {
  return all(root, 'net_namespace').map(
    (line) =>
      `${at(line)}: keepalived runs in the network namespace ${knownWord(line, 1) ?? ''}, and an agent outside of it cannot protect a VIP. ${elsewhereAdvice}`,
  )
}

function globalAdvice(root: Statement[], instances: Statement[]): string[] {
  const globals = globalsOf(root)
  const advice: string[] = []
  const user = all(globals, 'script_user').at(-1)
  if (user !== undefined && user.words[1] !== 'root')
    advice.push(
      `${at(user)}: script_user is ${user.words[1] ?? 'empty'}; it stays as it is for your scripts, and only the check gets "user root", because it reads files that only root may read`,
    )
  if (runsOwnPrograms(root.filter((statement) => !isCheck(statement)))) {
    if (user === undefined)
      advice.push(
        'keepalived runs scripts of yours as its default user, so setup adds no script_user, and only the check gets "user root"',
      )
    if (all(globals, 'enable_script_security').length === 0)
      advice.push(
        `enable_script_security keeps keepalived from running scripts as root that other users can change. It would also disable a script of yours that other users can change; check the owners and modes of your scripts, ${user === undefined ? 'name a script_user in global_defs, ' : ''}then run setup with --advised`,
      )
  }
  const isRefreshed =
    all(globals, 'vrrp_garp_master_refresh').length > 0 ||
    instances.every((instance) => all(instance.block, 'garp_master_refresh').length > 0)
  if (!isRefreshed)
    advice.push(
      'vrrp_garp_master_refresh 60 makes keepalived announce its VIPs again each minute, so that clients find the holder even if the announcement of the agent was lost (--advised adds it)',
    )
  return advice
}

function instanceAdvice(instance: Statement, profile: Profile): string[] {
  const name = profile.instance
  return [...notifyAdvice(instance, name), ...weightAdvice(instance, profile), ...stateAdvice(instance, name)]
}

/** Without the line keepalived says its priority only together with a state, so the agents may not know it. */
function weightAdvice(instance: Statement, { instance: name, weights, nopreempt }: Profile): string[] {
  if (weights !== 'untold') return []
  const standing = nopreempt
    ? ''
    : ', and a standby does not delegate its vote to the holder while the witness is dead'
  return [
    `${at(instance)}: ${name}: something that it tracks has a weight, and keepalived does not tell the agent each change of its priority. Add "${priorityChanges}" to global_defs, if keepalived is ${priorityChangesSince} or later, and if each program of yours that reads its FIFO takes lines with the words MASTER_PRIORITY and BACKUP_PRIORITY. Without it, a standby that becomes MASTER while VRRP is blocked waits for a handover before it is fenced${standing}`,
  ]
}

/** In a contested takeover both nodes become MASTER for a moment, and only the loser's role changes afterwards. */
function notifyAdvice(instance: Statement, name: string): string[] {
  const script = all(instance.block, 'notify_master', 'notify')[0]
  if (script === undefined) return []
  return [
    `${at(script)}: ${name}: if VRRP is blocked, keepalived on the node that loses the vote becomes MASTER for some milliseconds and runs this script, too; afterwards the script is not run again on the node that keeps the VIP. If it moves something that both nodes share (an address of a cloud, the role of a database), set "gate: strict" for this cluster in witness.yaml on the witness host (clusters.NAME.gate): then the loser never becomes MASTER and never runs it`,
  ]
}

function stateAdvice(instance: Statement, name: string): string[] {
  const master = all(instance.block, 'state').find(({ words }) => words[1] === 'MASTER')
  if (master !== undefined)
    return [
      `${at(master)}: ${name}: with "state MASTER" keepalived promotes itself at each start; with "state BACKUP" and "nopreempt" on both nodes the VIP stays where it is. Change it yourself, because setup changes no line of yours`,
    ]
  if (lacksNopreempt(instance))
    return [
      `${at(instance)}: ${name}: without nopreempt the VIP moves back as soon as the node with the higher priority returns (--advised adds nopreempt; do it on both nodes)`,
    ]
  return []
}

/** One node cannot see the priority of the other. If they are equal, the addresses decide. */
function priorityAdvice(profiles: readonly Profile[]): string {
  const each = profiles.map(({ instance, priority }) => `${instance} ${priority}`).join(', ')
  return `priorities on this node: ${each}. Those of the other node must be different, which the witness compares as soon as both agents run`
}
