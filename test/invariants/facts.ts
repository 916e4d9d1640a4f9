/**
 * What is seen of a cluster from outside, with one clock: by the simulator, which knows the truth, and by the lab,
 * which reads kernels, processes and the agents' log lines. The invariants judge by these facts alone.
 */

/** The state of a program: `frozen` runs no code (SIGSTOP, a starved or paused host), `ended` does not exist. */
export type ProgramState = 'running' | 'frozen' | 'ended'
export type ProgramName = 'agent' | 'keepalived' | 'witness'

export type Fact =
  /** The kernel of the node has the VIP, or no longer has it. */
  | { readonly type: 'vip'; readonly node: string; readonly held: boolean }
  /** The node has the lease until then (true time), by its own reckoning; if that time is past, it no longer has it. */
  | { readonly type: 'lease'; readonly node: string; readonly epoch: number; readonly untilMs: number }
  /** A voter's ballot is on disk. */
  | { readonly type: 'ballot'; readonly voter: string; readonly to: string; readonly epoch: number }
  /**
   * A voter's vote is promised to the node until then (true time): given, renewed, or, if that time is now, given back.
   * `onDisk` says whether its ballot is on disk.
   */
  | {
      readonly type: 'promise'
      readonly voter: string
      readonly to: string
      readonly epoch: number
      readonly untilMs: number
      readonly onDisk: boolean
    }
  /** A node reports to the voters that it uses none of their votes, while its kernel has the VIP. */
  | { readonly type: 'released-with-vip'; readonly node: string }
  | {
      readonly type: 'program'
      readonly host: string
      readonly program: ProgramName
      readonly state: ProgramState
    }
  /** The node's keepalived runs with another priority from now on: weights count. It starts with the configured one. */
  | { readonly type: 'priority'; readonly node: string; readonly priority: number }
  | { readonly type: 'fencing'; readonly node: string; readonly reason: string }
  /**
   * A node reports that its fence is proved; the fields say in which state its kernel and its keepalived really are.
   */
  | {
      readonly type: 'fence-proved'
      readonly node: string
      readonly vipHeld: boolean
      readonly keepalived: 'MASTER' | 'BACKUP' | 'FAULT' | 'INIT' | 'STOP' | 'absent'
    }
  /** The witness orders a node to stop. */
  | { readonly type: 'ordered'; readonly node: string }
  /**
   * One node holds, the other could take over at once, and everyone votes. What follows is judged from this state on.
   */
  | { readonly type: 'calm' }
  /** A fault begins or ends; `kind` is the catalogue's name. */
  | { readonly type: 'fault'; readonly kind: string; readonly where: string; readonly on: boolean }
  /** The link between the two nodes is cut in at least one direction for everything, or no longer. */
  | { readonly type: 'nodes-parted'; readonly on: boolean }

export interface Timed {
  readonly atMs: number
  readonly fact: Fact
}

/** A violation that an invariant reports. */
export interface Violation {
  /** The name in docs/safety.md: S1 to S6, L1 to L7, E2, or `rule` (the one rule). */
  readonly invariant: string
  readonly atMs: number
  readonly text: string
}
