/**
 * The process of killed-in-a-fence.test.ts: a node that is to fence itself, with the agent's own runtime, store and rungs.
 * Arguments: state folder, run folder, the script that stops keepalived; `at-once`: it dies in the turn that runs it.
 */
import { AgentStore } from '../../../../agent/runtime/store.ts'
import { FenceRungs } from '../../../../agent/fence/rungs.ts'
import { NodeRuntime } from '../../../../agent/runtime/runtime.ts'
import { witness } from '../../../../shared/protocol/names.ts'
import {
  enforce,
  freeBallot,
  instance,
  node,
  peer,
  profile,
  timing,
} from '../../../unit/agent/core/guard/guard-fixture.ts'

async function main(): Promise<void> {
  const [stateDir = '', runDir = '', stopCommand = ''] = process.argv.slice(2)
  const nowMs = (): number => performance.now() + 1_000_000
  const store = await AgentStore.open({ stateDir, runDir, bootId: 'boot-1', nowMs })
  const rungs = new FenceRungs(
    {
      stopCommand: ['sh', stopCommand],
      startCommand: ['true'],
      lastResortCommand: null,
      places: () => ({
        pidFile: `${runDir}/keepalived.pid`,
        vrrpPidFiles: [`${runDir}/vrrp.pid`],
        names: { parent: null, vrrp: null, others: [] },
        searchFor: null,
      }),
    },
    () => Promise.resolve(),
  )
  const nothing = (): void => undefined
  const runtime = new NodeRuntime(
    {
      node,
      policy: enforce,
      nowMs,
      monotonicMs: nowMs,
      recovered: () => freeBallot,
      memory: (name) => store.memory(name),
      standing: () => ({ kept: null, rebooted: false, inDoubt: false }),
      armed: () => true,
      outlets: {
        bar: nothing,
        permit: nothing,
        record: () => Promise.resolve(),
        tryDisk: () => Promise.resolve(null),
        mark: nothing,
        answerPeer: nothing,
        beat: nothing,
        carryOut: () => rungs.stop(),
        start: () => rungs.start(),
        observe: () => Promise.resolve(),
        announce: nothing,
        findOrigin: () => Promise.resolve({ addresses: [], places: [] }),
        countAdverts: () => Promise.resolve(null),
        remember: (name, memory) => void store.remember(name, memory),
        keepVote: () => Promise.resolve(),
        voteLeft: nothing,
        rememberFirst: () => Promise.resolve(null),
        arm: () => undefined,
        look: nothing,
        drilled: nothing,
        tell: nothing,
      },
    },
    { peer, timing },
  )
  runtime.setProfiles([profile])
  runtime.feed(instance, { type: 'observed', keepalived: 'MASTER', process: 'running', vips: 'held' })
  for (const from of [witness, peer])
    runtime.feed(instance, {
      type: 'answer',
      from,
      sentAtMs: nowMs(),
      verdict: {
        instance,
        vote: { kind: 'refused', reason: 'promised', text: `promised to ${peer}` },
        holder: peer,
        renewedAgoMs: 0,
        epoch: 8,
      },
    })
  runtime.feed(instance, { type: 'observed', keepalived: 'FAULT', process: 'running', vips: 'gone' })
  if (process.argv[5] === 'at-once') process.kill(process.pid, 'SIGKILL')
}

void main()
