/** Part 3: how long the loser of a split has the VIP. */
import { instance } from '../lab/address-plan.ts'
import { type MeasuredRun } from '../lab/measured-run.ts'
import { type Pool } from '../lab/pool.ts'
import { runScenarioOften } from '../lab/runner.ts'
import { vrrpBlock, witnessDeadThenBlock } from '../lab/scenarios/vrrp-block.ts'
import { type Scenario } from '../lab/scenario.ts'
import { type Section } from './markdown.ts'
import { rangeText, type Statistics, statisticsOf } from './statistics.ts'

export interface FenceFigures {
  readonly scenario: string
  readonly runs: number
  /** How long the VIP was in the loser's kernel. */
  readonly heldMs: Statistics
  /** From the agent's decision to its proof, as the agent reports it; null if the witness could not be asked. */
  readonly proofMs: Statistics | null
  /** At which rung the proof was found, and how often. */
  readonly rungs: Readonly<Record<string, number>>
}

const scenarios: readonly Scenario[] = [vrrpBlock, witnessDeadThenBlock]
/** Only the fence matters here, so clients are not watched after the heal. */
const healedMs = 5000

export async function measureFence(options: {
  product: string
  runs: number
  pool: Pool
  tell: (text: string) => void
}): Promise<readonly FenceFigures[]> {
  const results = await Promise.all(
    scenarios.map((scenario) =>
      runScenarioOften({ ...scenario, healedMs, musts: [] }, 'witness', { ...options, pace: 'full' }),
    ),
  )
  return results.map(({ runs, figures }) => fenceFigures(figures.scenario, runs))
}

/**
 * Pure.
 * @throws Error if no run had a loser
 */
export function fenceFigures(scenario: string, runs: readonly MeasuredRun[]): FenceFigures {
  const heldMs = runs.flatMap(loserHeldMs)
  if (heldMs.length === 0)
    throw new Error(`${scenario}: lb02 never took the VIP; there is no fence to measure`)
  const proofs = runs.flatMap(({ faultEnd }) => {
    const known = faultEnd.view?.nodes.find(({ node }) => node === 'lb02')?.instances
    const fence = known?.find((each) => each.instance === instance)?.fence
    return fence?.result === 'proved' ? [fence] : []
  })
  const rungs: Record<string, number> = {}
  for (const { rung } of proofs) rungs[rung] = (rungs[rung] ?? 0) + 1
  return {
    scenario,
    runs: runs.length,
    heldMs: statisticsOf(heldMs),
    proofMs: proofs.length === 0 ? null : statisticsOf(proofs.map(({ tookMs }) => tookMs)),
    rungs,
  }
}

function loserHeldMs({ changes, spans }: MeasuredRun): number[] {
  const ofLoser = changes.filter(({ node, atMs }) => node === 'lb02' && atMs >= spans.fault.fromMs)
  return ofLoser.flatMap(({ has, atMs }, at) => {
    const next = ofLoser[at + 1]
    return has && atMs < spans.fault.toMs && next?.has === false ? [next.atMs - atMs] : []
  })
}

export function fenceSection(figures: readonly FenceFigures[], setting: string): Section {
  return {
    id: 'fence',
    title: 'The fence',
    how:
      'VRRP blocked in the lab; from the moment the loser’s kernel has the VIP until it is gone (`ip -ts monitor address`). ' +
      'The proof is counted by the agent from its decision, on the boot clock with its grain of 10 ms.',
    setting,
    table: {
      head: ['scenario', 'runs', 'loser had the VIP, ms', 'decision to proof, ms', 'proved at rung'],
      rows: figures.map(({ scenario, runs, heldMs, proofMs, rungs }) => [
        scenario,
        String(runs),
        rangeText(heldMs, 1),
        proofMs === null ? 'the witness is down, nobody to ask' : rangeText(proofMs, 0),
        Object.entries(rungs)
          .map(([rung, count]) => `${rung} ×${count}`)
          .join(', '),
      ]),
    },
    notes: [],
    keyCells: 0,
  }
}
