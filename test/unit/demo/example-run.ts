/** Runs of vrrp-block as the lab measures them, small. */
import type { EventView } from '../../../shared/protocol/view.ts'
import type { MeasuredRun, PhaseFigures } from '../../lab/measured-run.ts'
import { cluster, node, nodeInstance } from '../server/witnessctl/example-views.ts'

const beganAtMs = Date.UTC(2026, 0, 1)

function phase(figures: Partial<PhaseFigures> = {}): PhaseFigures {
  return {
    overlapMs: 0,
    outageMs: 0,
    holderChanges: 0,
    takeovers: { lb01: 0, lb02: 0 },
    ownersAtEnd: ['lb01'],
    longestDarkMs: 0,
    darkMs: 0,
    answers: 400,
    wrongAnswers: 0,
    ...figures,
  }
}

export function event(name: string, afterMs: number, fields: Partial<EventView> = {}): EventView {
  return {
    id: 1,
    at: new Date(beganAtMs + afterMs).toISOString(),
    cluster: 'web',
    event: name,
    level: 'info',
    instance: 'VI_1',
    node: null,
    text: name,
    evidence: {},
    decision: null,
    ...fields,
  }
}

const spans = {
  fault: { fromMs: beganAtMs, toMs: beganAtMs + 8000 },
  healed: { fromMs: beganAtMs + 8000, toMs: beganAtMs + 20_000 },
}
const both = { lb01: true, lb02: true }

/** Two owners from 3 s until 8.1 s. */
export function aloneRun(): MeasuredRun {
  return {
    scenario: 'vrrp-block',
    arbiter: 'none',
    fault: phase({ overlapMs: 5000, ownersAtEnd: ['lb01', 'lb02'], takeovers: { lb01: 0, lb02: 1 } }),
    healed: phase({ overlapMs: 100 }),
    whole: phase({ overlapMs: 5100 }),
    spans,
    changes: [
      { node: 'lb01', has: true, atMs: beganAtMs - 9000 },
      { node: 'lb02', has: true, atMs: beganAtMs + 3000 },
      { node: 'lb02', has: false, atMs: beganAtMs + 8100 },
    ],
    before: { keepalivedRuns: both, view: null },
    faultEnd: { keepalivedRuns: both, view: null },
    end: { keepalivedRuns: both, view: null },
    events: [],
    facts: [],
    siege: null,
    complaints: [],
    witnessAwayMs: { lb01: 0, lb02: 0 },
    violations: [],
  }
}

/** Two owners for 2.5 ms. */
export function witnessRun(): MeasuredRun {
  const fence = {
    number: 1,
    reason: 'lb01 has the lease',
    result: 'proved',
    rung: 'bar',
    tookMs: 20,
  } as const
  const view = (keepalived: 'STOP' | 'BACKUP'): MeasuredRun['end']['view'] =>
    cluster({ nodes: [node('lb02', { instances: [nodeInstance({ keepalived, fence })] })] })
  return {
    ...aloneRun(),
    arbiter: 'witness',
    fault: phase({ overlapMs: 2.5, takeovers: { lb01: 0, lb02: 1 } }),
    healed: phase(),
    whole: phase({ overlapMs: 2.5 }),
    changes: [
      { node: 'lb01', has: true, atMs: beganAtMs - 9000 },
      { node: 'lb02', has: true, atMs: beganAtMs + 3000 },
      { node: 'lb02', has: false, atMs: beganAtMs + 3002.5 },
    ],
    faultEnd: { keepalivedRuns: { lb01: true, lb02: false }, view: view('STOP') },
    end: { keepalivedRuns: both, view: view('BACKUP') },
    events: [
      event('agent.lease-won', -8000, { node: 'lb01' }),
      event('agent.fencing', 3002, { node: 'lb02', level: 'warning' }),
      event('situation.dual-master', 3004, { level: 'critical', evidence: { holder: 'lb01' } }),
      event('agent.fenced', 3010, { node: 'lb02', level: 'warning' }),
      event('situation.normal', 3012, { node: 'lb01' }),
      event('agent.rejoining', 9000, { node: 'lb02' }),
      event('ledger-slow', 9500, { level: 'warning', text: 'The disk is slow.' }),
    ],
  }
}
