/** The names in a simulation. */
import type { InstanceIdentity } from '../../../shared/core/instance-pairing.ts'

export const cluster = 'sim'
export const instance = 'VI_1'
export const vip = '192.0.2.100'
export const nodeNames = ['lb01', 'lb02'] as const
export const witnessHostName = 'witness'

/**
 * How the two nodes name what they share. `differ`: each has its own name for it. `crossed`: lb02 calls it as lb01 calls
 * something else, and the other way round. `drift`: the names and the VIP lists differ.
 */
export const namings = ['same', 'differ', 'crossed', 'drift'] as const
export type Naming = (typeof namings)[number]

/** What keepalived.conf of each node has. The first instance of a node is the one that is simulated. */
export function instancesOf(
  naming: Naming,
): readonly [readonly InstanceIdentity[], readonly InstanceIdentity[]] {
  const shared = (name: string, ...more: string[]): InstanceIdentity => ({
    instance: name,
    virtualRouterId: 51,
    vips: [vip, ...more],
  })
  const other = (name: string): InstanceIdentity => ({
    instance: name,
    virtualRouterId: 52,
    vips: ['192.0.2.200'],
  })
  switch (naming) {
    case 'same':
      return [[shared(instance)], [shared(instance)]]
    case 'differ':
      return [[shared(instance)], [shared('VI_WEB')]]
    case 'crossed':
      return [
        [shared(instance), other('VI_2')],
        [shared('VI_2'), other(instance)],
      ]
    case 'drift':
      return [[shared(instance, '192.0.2.101')], [shared('VI_WEB')]]
  }
}
