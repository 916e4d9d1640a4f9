import { bothKeepalivedRunAtEnd, notDarkAfterHeal, takesVipOver } from '../musts.ts'
import { type Scenario } from '../scenario.ts'

export const gatewayLost: Scenario = {
  name: 'gateway-lost',
  fault: 'the holder no longer reaches its gateway; it reaches the witness and the other node',
  faults: [{ kind: 'gateway-lost', where: 'lb01' }],
  setup: { gateway: true },
  comparable: false,
  begin: (cluster) => cluster.wires.blockGateway('lb01'),
  // The agent misses two echoes (4 s), and the witness waits for another 5 s before it takes the outage for lasting.
  faultMs: 14_000,
  heal: (cluster) => cluster.wires.endGatewayBlock(),
  healedMs: 30_000,
  rightful: 'lb02',
  musts: [...takesVipOver('lb02', { overlapMs: 0 }), bothKeepalivedRunAtEnd()],
  benchMusts: [notDarkAfterHeal],
}
