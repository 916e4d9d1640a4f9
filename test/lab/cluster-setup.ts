/** What a scenario may ask of a lab before it begins. */
import { defaultTiming, type Timing } from '../../shared/core/timing.ts'
import { type Arbiter } from './arbiter.ts'
import { everydayPair, type PairConf } from './keepalived-config.ts'
import { type PidFiles, type StopCommand } from './keepalived-service.ts'

export interface ClusterSetup {
  readonly arbiter: Arbiter
  /** The folder of the built programs; null: the lab runs without them. */
  readonly product: string | null
  /** What the admin of the pair wrote into keepalived.conf. */
  readonly pair: PairConf
  /** `later`: keepalived begins without the product's lines, as before an installation (`addProductLines`). */
  readonly productLines: 'from the start' | 'later'
  /** Whether keepalived.conf has the `track_file` and `track_script` lines that an admin adds. */
  readonly tracked: boolean
  readonly stopCommand: StopCommand
  readonly pidFiles: PidFiles
  /** `slow`: each fsync of an agent takes 300 ms. */
  readonly agentDisk: 'usual' | 'slow'
  /**
   * `own`: keepalived, agents and witness get a processor before clients, observers and other labs do, as on hosts of
   * their own. `common`: they wait like everybody else.
   */
  readonly processors: 'own' | 'common'
  readonly gate: Timing['gate']
  /** After what silence of the witness the standby delegates its vote. */
  readonly delegateAfterMs: Timing['delegateAfterMs']
  /** Whether the agents are configured to watch the gateway. */
  readonly gateway: boolean
  /** Nodes of other clusters that this witness has enrolled; they are programs on the client's host. */
  readonly guests: readonly { readonly cluster: string; readonly node: string; readonly address: string }[]
  /** `two`: both nodes have an eth1 at the same switch (`secondPortOf`). */
  readonly ports: 'one' | 'two'
  /** Where keepalived puts the VIP whose owners are measured. */
  readonly vipDevice: 'eth0' | 'eth1'
  /** A shell script that both nodes run when they have booted. */
  readonly atBoot: string
}

/** The defaults for what a scenario does not specify. */
export const everydaySetup: Omit<ClusterSetup, 'arbiter' | 'product'> = {
  pair: everydayPair,
  productLines: 'from the start',
  tracked: true,
  stopCommand: 'works',
  pidFiles: 'usual',
  agentDisk: 'usual',
  processors: 'own',
  gate: 'open',
  delegateAfterMs: defaultTiming.delegateAfterMs,
  gateway: false,
  guests: [],
  ports: 'one',
  vipDevice: 'eth0',
  atBoot: '',
}
