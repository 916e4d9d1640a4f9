/** Where the running keepalived and keepalived.conf differ, in sentences for the operator. Pure. */
import type { Profile } from '../../shared/protocol/plan.ts'
import type { InstanceSnapshot, RunningSettings } from './dump.ts'
import { deviceOfVip, type Vip } from './vip.ts'

export interface ConfiguredInstance {
  readonly profile: Profile
  readonly vips: readonly Vip[]
}

/** One sentence for each difference. A dump that says nothing of the settings shows none. */
export function configurationDrift(
  configured: readonly ConfiguredInstance[],
  snapshots: readonly InstanceSnapshot[],
): readonly string[] {
  const names = new Set(configured.map(({ profile }) => profile.instance))
  const extra = snapshots.filter(({ instance }) => !names.has(instance)).map(({ instance }) => instance)
  return [
    ...extra.map(
      (name) => `keepalived runs vrrp_instance ${name.slice(0, 80)}, which the agent does not read`,
    ),
    ...configured.flatMap((instance) => driftOf(instance, snapshots)),
  ]
}

function driftOf(
  { profile, vips }: ConfiguredInstance,
  snapshots: readonly InstanceSnapshot[],
): readonly string[] {
  const name = profile.instance
  const snapshot = snapshots.find(({ instance }) => instance === name)
  if (snapshot === undefined) return [`keepalived does not run vrrp_instance ${name}`]
  const { settings } = snapshot
  if (settings === null) return []
  const pairs: readonly [string, string | number, string | number][] = [
    ['virtual_router_id', settings.virtualRouterId, profile.virtualRouterId],
    ['priority', settings.basePriority, profile.priority],
    ['version', settings.version, profile.version],
    ['advert_int', `${settings.advertIntMs / 1000} s`, `${profile.advertIntMs / 1000} s`],
    ['preemption', preemption(settings), preemption(profile)],
  ]
  return [
    ...pairs
      .filter(([, runs, says]) => runs !== says)
      .map(([what, runs, says]) => `${name} runs with ${what} ${runs}, and the file says ${says}`),
    ...vipDrift(name, settings.vips, vips),
  ]
}

function preemption({ nopreempt }: Pick<RunningSettings, 'nopreempt'>): string {
  return nopreempt ? 'off' : 'on'
}

function vipDrift(name: string, running: readonly Vip[], configured: readonly Vip[]): readonly string[] {
  const isSame = (runs: Vip, says: Vip): boolean =>
    runs.on.kind === 'named' && deviceOfVip(says, { address: runs.address, device: runs.on.device }) !== null
  const surplus = running.filter((runs) => !configured.some((says) => isSame(runs, says)))
  const missing = configured.filter((says) => !running.some((runs) => isSame(runs, says)))
  return [
    ...(surplus.length === 0 ? [] : [`${name} runs with ${described(surplus)}, which the file does not say`]),
    ...(missing.length === 0 ? [] : [`${name} runs without ${described(missing)}, which the file says`]),
  ]
}

const mostNamed = 3

function described(vips: readonly Vip[]): string {
  const named = vips
    .slice(0, mostNamed)
    .map(({ address, on }) => (on.kind === 'named' ? `${address} on ${on.device}` : address))
  return `${named.join(', ')}${vips.length > mostNamed ? ` and ${vips.length - mostNamed} more VIPs` : ''}`
}
