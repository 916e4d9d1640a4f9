/** What the model of keepalived must get right: one trace each. */
import { type TraceConf } from '../sim/models/keepalived-trace.ts'
import { type TraceRun, type TraceScenario } from './keepalived-trace.ts'

const plain: TraceConf = {
  priority: 150,
  advertIntMs: 1000,
  nopreempt: false,
  initial: 'BACKUP',
  check: null,
}
const pair = { lb01: plain, lb02: { ...plain, priority: 100 } } as const
const nopreempt = {
  lb01: { ...plain, nopreempt: true },
  lb02: { ...plain, priority: 100, nopreempt: true },
} as const
const checked: TraceConf = { ...plain, check: { intervalMs: 1000, timeoutMs: 1000, fall: 2, rise: 2 } }
const hasty: TraceConf = { ...plain, check: { intervalMs: 1000, timeoutMs: 1000, fall: 1, rise: 1 } }
/** A script of the admin's with a weight. */
const app = (weight: number): Pick<TraceConf, 'app'> => ({
  app: { weight, intervalMs: 1000, timeoutMs: 1000, fall: 1, rise: 1 },
})

/** Both run, lb01 is MASTER, and its next advert is half a second away. */
async function settle(run: TraceRun): Promise<void> {
  await run.start('lb01', 'lb02')
  await run.line('lb01', 'MASTER')
  await run.afterAdvert('lb01', 400)
}

/** What lb01's script watches fails while lb01 is MASTER, and is well again later. */
async function appFailsAndRecovers(run: TraceRun): Promise<void> {
  await settle(run)
  run.app('lb01', 'app-fails')
  await run.line('lb02', 'MASTER')
  await run.wait(1500)
  run.app('lb01', 'app-succeeds')
  await run.line('lb01', 'MASTER')
  await run.wait(1500)
}

export const traceScenarios: readonly TraceScenario[] = [
  {
    name: 'start-both',
    says: 'Both start; the one with the higher priority takes the VIP after its master-down time.',
    nodes: pair,
    play: async (run) => {
      await run.start('lb01', 'lb02')
      await run.wait(6500)
    },
  },
  {
    name: 'start-single',
    says: 'One starts alone, with adverts every two seconds; its second round of GARP comes after five seconds.',
    nodes: { lb01: { ...plain, advertIntMs: 2000 }, lb02: plain },
    play: async (run) => {
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(8000)
    },
  },
  {
    name: 'start-as-master',
    says: '"state MASTER" still starts as BACKUP, and disables nopreempt.',
    nodes: { lb01: { ...plain, initial: 'MASTER', nopreempt: true }, lb02: nopreempt.lb02 },
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(300)
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'power-off',
    says: 'The host of the MASTER dies; the other one takes over after its master-down time.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await run.powerOff('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'terminate-and-return',
    says: 'systemctl stop of the MASTER; the other one takes over after its skew time. The first one returns and preempts.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.terminate('lb01')
      await run.wait(3300)
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
      run.terminate('lb02')
      await run.wait(1500)
    },
  },
  {
    name: 'deaf-both',
    says: 'A firewall drops VRRP for both, so there are two MASTERs. When it heals, the lower one yields.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await Promise.all([run.deafen('lb01'), run.deafen('lb02')])
      await run.line('lb02', 'MASTER')
      await run.wait(2300)
      await Promise.all([run.undeafen('lb01'), run.undeafen('lb02')])
      await run.wait(7000)
    },
  },
  {
    name: 'deaf-backup',
    says: 'Only the BACKUP hears nothing: two MASTERs, and the higher one reports that with every advert that it hears.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await run.deafen('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(3300)
      await run.undeafen('lb02')
      await run.wait(3000)
    },
  },
  {
    name: 'deaf-master',
    says: 'Only the MASTER hears nothing: nothing happens. When the higher priority returns, there are two MASTERs.',
    nodes: pair,
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.afterAdvert('lb02', 400)
      await run.deafen('lb02')
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(2300)
      await run.undeafen('lb02')
      await run.wait(2000)
    },
  },
  {
    name: 'bar-master',
    says: 'The track_file bars the MASTER, and later no longer bars it: FAULT, takeover after the skew time, and preemption.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.bar('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
      run.unbar('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'bar-backup',
    says: 'The track_file bars the BACKUP, and later no longer bars it: no advert, no harm.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.bar('lb02')
      await run.wait(2000)
      run.unbar('lb02')
      await run.wait(2000)
      run.bar('lb02')
      await run.wait(200)
      run.terminate('lb02')
      await run.wait(1500)
    },
  },
  {
    name: 'bar-at-start',
    says: 'The track_file bars from the start, and later no longer bars.',
    nodes: pair,
    play: async (run) => {
      run.bar('lb01')
      await run.start('lb01')
      await run.wait(1500)
      run.unbar('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'check-fails',
    says: 'The check fails at the MASTER, then succeeds again: fall 2, rise 2.',
    nodes: { lb01: checked, lb02: { ...checked, priority: 100 } },
    play: async (run) => {
      await run.start('lb01', 'lb02')
      await run.line('lb01', 'MASTER')
      await run.wait(700)
      run.check('lb01', 'check-fails')
      await run.line('lb02', 'MASTER')
      await run.wait(700)
      run.check('lb01', 'check-succeeds')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'check-hangs',
    says: 'The check hangs at the MASTER, then succeeds again: timeout 1, fall 1, rise 1.',
    nodes: { lb01: hasty, lb02: { ...hasty, priority: 100 } },
    play: async (run) => {
      await run.start('lb01', 'lb02')
      await run.line('lb01', 'MASTER')
      await run.wait(700)
      run.check('lb01', 'check-hangs')
      await run.line('lb02', 'MASTER')
      await run.wait(1700)
      run.check('lb01', 'check-succeeds')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'check-overlaps',
    says: 'A check may hang for longer than its interval: the last run that is given up undoes the first good one.',
    nodes: {
      lb01: { ...plain, check: { intervalMs: 1000, timeoutMs: 2000, fall: 1, rise: 1 } },
      lb02: plain,
    },
    play: async (run) => {
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(700)
      run.check('lb01', 'check-hangs')
      await run.line('lb01', 'FAULT')
      await run.wait(500)
      run.check('lb01', 'check-succeeds')
      await run.wait(3000)
    },
  },
  {
    name: 'check-forgotten',
    says: 'A run that hangs while the next one succeeds is forgotten, and does not count.',
    nodes: {
      lb01: { ...plain, check: { intervalMs: 2000, timeoutMs: 3000, fall: 1, rise: 1 } },
      lb02: plain,
    },
    play: async (run) => {
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      run.check('lb01', 'check-hangs')
      await run.wait(1500)
      run.check('lb01', 'check-succeeds')
      await run.wait(4500)
    },
  },
  {
    name: 'check-fails-at-start',
    says: 'The first result of the check decides, even together with the track_file.',
    nodes: { lb01: checked, lb02: { ...checked, priority: 100 } },
    play: async (run) => {
      run.check('lb01', 'check-fails')
      run.bar('lb02')
      await run.start('lb01', 'lb02')
      await run.wait(1500)
      run.unbar('lb02')
      await run.wait(200)
      run.check('lb01', 'check-succeeds')
      await run.line('lb01', 'MASTER')
      await run.wait(1200)
    },
  },
  {
    name: 'nopreempt',
    says: 'With nopreempt the higher priority returns and stays BACKUP, until the VIP is deleted under the lower one.',
    nodes: nopreempt,
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(300)
      await run.start('lb01')
      await run.wait(5300)
      await run.afterAdvert('lb02', 400)
      await run.deleteVip('lb02')
      await run.wait(3000)
    },
  },
  {
    name: 'nopreempt-meet',
    says: 'nopreempt does not settle two MASTERs that meet: the lower one yields.',
    nodes: nopreempt,
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(300)
      await run.deafen('lb01')
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1300)
      await run.undeafen('lb01')
      await run.wait(2000)
    },
  },
  {
    name: 'equal-priorities',
    says: 'Equal priorities: no preemption of a MASTER that is heard, and the higher address wins when two MASTERs meet.',
    nodes: { lb01: plain, lb02: plain },
    play: async (run) => {
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(300)
      await run.start('lb02')
      await run.wait(5300)
      await run.deafen('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(1300)
      await run.undeafen('lb02')
      await run.wait(2000)
    },
  },
  {
    name: 'kill-and-return',
    says: 'SIGKILL leaves the VIP in the kernel; the restarted keepalived removes it, and preempts later.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.kill('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1300)
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'kill-and-return-barred',
    says: 'SIGKILL leaves the VIP; the restarted keepalived is barred from the start.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.kill('lb01')
      await run.wait(1000)
      run.bar('lb01')
      await run.start('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1300)
    },
  },
  {
    name: 'freeze-master',
    says: 'The MASTER is stopped for longer than the other one waits, and continues: two MASTERs, and the lower one yields.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.freeze('lb01')
      await run.line('lb02', 'MASTER')
      await run.afterAdvert('lb02', 400)
      await run.wait(4000)
      run.thaw('lb01')
      await run.wait(6500)
    },
  },
  {
    name: 'freeze-lower-master',
    says: 'A MASTER of lower priority is stopped and continues: it yields at once, because it reads before it sends.',
    nodes: pair,
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.afterAdvert('lb02', 400)
      run.freeze('lb02')
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(2300)
      run.thaw('lb02')
      await run.wait(2000)
    },
  },
  {
    name: 'freeze-preempting',
    says: 'A BACKUP that is about to preempt is stopped past its time: it hears two adverts, takes the VIP, hears the rest.',
    nodes: pair,
    play: async (run) => {
      await run.start('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(300)
      await run.start('lb01')
      await run.afterAdvert('lb02', 400)
      run.freeze('lb01')
      await run.wait(6000)
      run.thaw('lb01')
      await run.wait(1500)
    },
  },
  {
    name: 'freeze-barred-master',
    says: 'A stopped MASTER is barred while it is stopped: it continues, hears two adverts, then reads the file.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.freeze('lb01')
      await run.line('lb02', 'MASTER')
      await run.afterAdvert('lb02', 400)
      await run.wait(3000)
      run.bar('lb01')
      await run.wait(500)
      run.thaw('lb01')
      await run.wait(3000)
    },
  },
  {
    name: 'freeze-backup',
    says: 'The BACKUP is stopped and continues: the adverts that wait for it keep it from taking the VIP.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.freeze('lb02')
      await run.afterAdvert('lb01', 400)
      await run.wait(5000)
      run.thaw('lb02')
      await run.wait(3000)
    },
  },
  {
    name: 'freeze-backup-kill-master',
    says: 'The MASTER dies while the BACKUP is stopped: the waiting adverts count from when they are read.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.freeze('lb02')
      await run.afterAdvert('lb01', 400)
      run.kill('lb01')
      await run.wait(5000)
      run.thaw('lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(1200)
    },
  },
  {
    name: 'freeze-deaf-backup',
    says: 'A stopped BACKUP for which no advert waits takes the VIP as soon as it continues.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await run.deafen('lb02')
      run.freeze('lb02')
      await run.wait(5000)
      run.thaw('lb02')
      await run.wait(1500)
    },
  },
  {
    name: 'terminate-frozen',
    says: 'SIGTERM to a stopped MASTER is obeyed when it continues; a stop of one and a half seconds loses nothing.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      run.freeze('lb01')
      await run.wait(1500)
      run.thaw('lb01')
      await run.afterAdvert('lb01', 400)
      run.freeze('lb01')
      await run.wait(300)
      run.terminate('lb01')
      await run.wait(700)
      run.thaw('lb01')
      await run.wait(2500)
    },
  },
  {
    name: 'delete-vip',
    says: 'The VIP is deleted under the MASTER: BACKUP, and MASTER again after its skew time.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await run.deleteVip('lb01')
      await run.wait(3000)
    },
  },
  {
    name: 'carrier',
    says: 'The MASTER loses its carrier and regains it.',
    nodes: pair,
    play: async (run) => {
      await settle(run)
      await run.carrier('lb01', 'down')
      await run.line('lb02', 'MASTER')
      await run.wait(1300)
      await run.carrier('lb01', 'up')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'carrier-and-bar',
    says: 'FAULT for two reasons ends when the second one ends; it starts without carrier.',
    nodes: pair,
    play: async (run) => {
      await run.carrier('lb01', 'down')
      await run.start('lb01')
      await run.wait(1000)
      run.bar('lb01')
      await run.wait(500)
      await run.carrier('lb01', 'up')
      await run.wait(500)
      run.unbar('lb01')
      await run.line('lb01', 'MASTER')
      await run.wait(1200)
    },
  },
  {
    name: 'weight-negative',
    says: 'A script with weight -60 fails at the MASTER: the next advert says it, and the other one preempts without a gap.',
    nodes: { lb01: { ...plain, ...app(-60) }, lb02: { ...plain, priority: 100 } },
    play: appFailsAndRecovers,
  },
  {
    name: 'weight-positive',
    says: 'A script with weight 60 counts from its first result on; it fails at the MASTER, and is well again.',
    nodes: {
      lb01: { ...plain, priority: 100, ...app(60) },
      lb02: { ...plain, priority: 80, ...app(60) },
    },
    play: appFailsAndRecovers,
  },
  {
    name: 'weight-nopreempt',
    says: 'With nopreempt a weight moves nothing; the next takeover waits as long as the new priority says.',
    nodes: {
      lb01: { ...nopreempt.lb01, ...app(-60) },
      lb02: { ...nopreempt.lb02, ...app(-60) },
    },
    play: async (run) => {
      await settle(run)
      run.app('lb01', 'app-fails')
      run.app('lb02', 'app-fails')
      await run.wait(3000)
      await run.afterAdvert('lb01', 400)
      run.kill('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'weight-clamped',
    says: 'A priority is never above 254 or below 1, and what is beyond counts again when the weight changes.',
    nodes: {
      lb01: { ...plain, priority: 250, ...app(60) },
      lb02: { ...plain, priority: 100, ...app(-200) },
    },
    play: async (run) => {
      await settle(run)
      run.app('lb02', 'app-fails')
      await run.wait(2500)
      run.app('lb01', 'app-fails')
      await run.wait(2500)
      await run.afterAdvert('lb01', 400)
      run.kill('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'weight-fails-at-start',
    says: 'A script with a weight does not keep an instance waiting; its first failure counts only if the weight is negative.',
    nodes: {
      lb01: { ...plain, ...app(-60) },
      lb02: { ...plain, priority: 100, ...app(60) },
    },
    play: async (run) => {
      run.app('lb01', 'app-fails')
      run.app('lb02', 'app-fails')
      await run.start('lb01', 'lb02')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
      run.app('lb01', 'app-succeeds')
      await run.line('lb01', 'MASTER')
      await run.wait(1500)
    },
  },
  {
    name: 'down-timer-adverts',
    says: 'One waits two adverts for a MASTER that died, the other one five.',
    nodes: {
      lb01: { ...plain, downTimerAdverts: 5 },
      lb02: { ...plain, priority: 100, downTimerAdverts: 2 },
    },
    play: async (run) => {
      await run.start('lb01')
      await run.line('lb01', 'MASTER')
      await run.start('lb02')
      await run.afterAdvert('lb01', 400)
      run.kill('lb01')
      await run.line('lb02', 'MASTER')
      await run.wait(1500)
    },
  },
]
