import { instance, otherName } from '../address-plan.ts'
import { everydayPair } from '../keepalived-config.ts'
import { type Scenario } from '../scenario.ts'
import { vrrpBlock } from './vrrp-block.ts'

/** One VIP has one vote, whatever the nodes call its instance. */
export const namesDiffer: Scenario = {
  ...vrrpBlock,
  name: 'names-differ/vrrp-block',
  fault: `the nodes name the instance differently; ${vrrpBlock.fault}`,
  setup: { pair: { ...everydayPair, names: { lb01: instance, lb02: otherName } } },
}
