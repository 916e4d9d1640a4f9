/**
 * What `npm test` leaves to `npm run test:nightly`: each scenario differs in one word from another, which stands for it in
 * `npm test`. Each kind of fault has a scenario that is not here (test/unit/lab/scenarios.test.ts).
 */
export const nightlyOnly: ReadonlyMap<string, string> = new Map([
  // Another order of the same two starts.
  ['cold-start/witness-lb02-lb01', 'cold-start/witness-lb01-lb02'],
  ['cold-start/lb02-witness-lb01', 'cold-start/lb01-witness-lb02'],
  ['cold-start/lb02-lb01-witness', 'cold-start/lb01-lb02-witness'],
  // `npm test` has: with a bar, a stop that hangs; without a bar, a stop that fails.
  ['fence-fails/stop-fails', 'fence-fails/no-bar-stop-fails'],
  ['fence-fails/no-bar-stop-hangs', 'fence-fails/stop-hangs'],
  // `npm test` has each way to lose the priority, with one of the two kinds of preemption.
  ['weight-script/nopreempt', 'weight-script/preempt'],
  ['weight-positive/preempt', 'weight-positive/nopreempt'],
  ['weight-equal-base/nopreempt', 'weight-equal-base/preempt'],
  ['weight-interface/preempt', 'weight-interface/nopreempt'],
  ['weight-file/nopreempt', 'weight-file/preempt'],
  // `npm test` has one pace that is refused for each fault, and one that is slower than usual.
  ['advert-pace/one-missed/vrrp-block', 'advert-pace/fifth/vrrp-block'],
  ['advert-pace/fifth/kill-host', 'advert-pace/one-missed/kill-host'],
  ['advert-pace/tenth/kill-host', 'advert-pace/one-missed/kill-host'],
  ['advert-pace/tenth/vrrp-block', 'advert-pace/fifth/vrrp-block'],
  ['gate-strict/vrrp-block', 'gate-strict/kill-host'],
  ['install-at-once/holder-first-slowly', 'install-at-once/holder-first'],
  ['install-at-once/standby-first', 'install-at-once/standby-first-slowly'],
  ['slow-check/ten-times', 'slow-check/once'],
  ['witness-dead-for-long/strict-cut-ab', 'witness-dead-for-long/cut-ab'],
  ['witness-dead-for-long/clean-stop', 'witness-dead-for-long/standby-dies'],
  // They need the machine for themselves.
  ['witness-restart/cut-ab', 'witness-restart/vrrp-block'],
  ['witness-restart/kill-host', 'witness-restart/isolate-holder'],
])
