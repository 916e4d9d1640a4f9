/**
 * At the agent's start, runs once through the path from a MASTER line to the bar, with a guard and a file of its own.
 * V8 compiles a function at its first call: without this the first split brain, which is the one that matters, would
 * wait some milliseconds longer than every later one (measured: 6 ms against 0.5 to 1).
 */
import { unlinkSync } from 'node:fs'
import { defaultTiming } from '../../shared/core/timing.ts'
import type { Profile } from '../../shared/protocol/plan.ts'
import { barPath, writeBar } from './bar-file.ts'
import { createGuard, decide } from '../core/guard/guard.ts'

/** No vrrp_instance has a name like this. */
const nobody = '.rehearsal'

const profile: Profile = {
  instance: nobody,
  virtualRouterId: 1,
  interface: '',
  version: 2,
  priority: 1,
  nopreempt: true,
  advertIntMs: 1000,
  vips: [],
}

/** @throws RunFolderError */
export function rehearseFence(runDir: string, atMs: number): void {
  const guard = createGuard({
    node: nobody,
    peer: 'peer',
    profile,
    timing: defaultTiming,
    policy: { mode: 'enforce', fence: 'stop', alone: 'stop', rejoin: 'manual', hasLastResort: false },
    recovered: { kind: 'valid', ballot: null, mark: null },
    memory: { stopped: false, number: 0, recentAtMs: [] },
    atMs,
  })
  const backup = decide(guard, {
    type: 'observed',
    atMs,
    keepalived: 'BACKUP',
    process: 'running',
    vips: 'gone',
  })
  const master = decide(backup.guard, {
    type: 'observed',
    atMs,
    keepalived: 'MASTER',
    process: 'running',
    vips: 'held',
  })
  // No voter votes for this node, so at its deadline the claim is lost.
  decide(master.guard, { type: 'tick', atMs: atMs + defaultTiming.claimMs })
  writeBar(runDir, nobody, true)
  unlinkSync(barPath(runDir, nobody))
}
