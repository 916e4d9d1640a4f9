/**
 * What is seen of a cluster from outside, with one clock: by the simulator, which knows the truth, and by the lab,
 * which reads kernels, processes and the agents' own lines. The invariants judge by these facts alone.
 */

/** How a program is: `frozen` runs no code (SIGSTOP, a starved or paused host), `ended` is not there. */
export type ProgramState = 'running' | 'frozen' | 'ended'
export type ProgramName = 'agent' | 'keepalived' | 'witness'

export type Fact =
  /** The kernel of the node has the VIP, or no longer. */
  | { readonly type: 'vip'; readonly node: string; readonly held: boolean }
  /** The node has the lease until then (true time), as it reckons itself; an instant that is past: no longer. */
  | { readonly type: 'lease'; readonly node: string; readonly epoch: number; readonly untilMs: number }
  /** A voter's ballot is on disk. */
  | { readonly type: 'ballot'; readonly voter: string; readonly to: string; readonly epoch: number }
  /**
   * A voter's vote is promised to the node until then (true time): given, renewed, or, where that instant is now, given back.
   * `onDisk`: whether its ballot is.
   */
  | {
      readonly type: 'promise'
      readonly voter: string
      readonly to: string
      readonly epoch: number
      readonly untilMs: number
      readonly onDisk: boolean
    }
  /** A node tells the voters that it uses none of their votes, while its kernel has the VIP. */
  | { readonly type: 'released-with-vip'; readonly node: string }
  | {
      readonly type: 'program'
      readonly host: string
      readonly program: ProgramName
      readonly state: ProgramState
    }
  | { readonly type: 'fencing'; readonly node: string; readonly reason: string }
  /** A node says that its fence is proved; what its kernel and its keepalived really are. */
  | {
      readonly type: 'fence-proved'
      readonly node: string
      readonly vipHeld: boolean
      readonly keepalived: 'MASTER' | 'BACKUP' | 'FAULT' | 'INIT' | 'STOP' | 'absent'
    }
  /** The witness tells a node to stop. */
  | { readonly type: 'ordered'; readonly node: string }
  /** One node holds, the other could take over at once, and everyone votes: what comes now is judged as from there. */
  | { readonly type: 'calm' }
  /** A fault begins or ends; `kind` is the catalogue's name. */
  | { readonly type: 'fault'; readonly kind: string; readonly where: string; readonly on: boolean }
  /** The link between the two nodes is cut in at least one direction for everything, or no longer. */
  | { readonly type: 'nodes-parted'; readonly on: boolean }

export interface Timed {
  readonly atMs: number
  readonly fact: Fact
}

/** What an invariant has to say. */
export interface Violation {
  /** The name in docs/safety.md: S1 to S5, L1 to L5, E2, `rule` (the one rule). */
  readonly invariant: string
  readonly atMs: number
  readonly text: string
}
