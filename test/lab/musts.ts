/** What scenarios demand, in words that say what it means for the user. */
import { nodes, type LabNode } from './address-plan.ts'
import { figureText, ownersText, type Measure } from './figures.ts'
import { type MeasuredRun, type Snapshot } from './measured-run.ts'
import { type BenchMust, type Must } from './scenario.ts'
import { nodeInstance } from './witness-api.ts'

/** Stricter than S2 of docs/safety.md: claimMs + releaseMs. */
export const overlapBoundMs = 250
/** Stricter than the bound of S3 in docs/safety.md. */
export const overlapWithoutAgentMs = 2800

const milliseconds = (value: number): string => `${Math.round(value * 10) / 10} ms`

/** Overlap over the whole run, the heal included. */
export function overlapAtMost(boundMs: number): Must {
  return {
    says: boundMs === 0 ? 'never two owners' : `two owners for at most ${boundMs} ms in all`,
    broken: ({ whole }) =>
      whole.overlapMs <= boundMs ? null : `two owners for ${milliseconds(whole.overlapMs)}`,
  }
}

export function noOutage(): Must {
  return {
    says: 'never without an owner',
    broken: ({ whole }) => (whole.outageMs === 0 ? null : `no owner for ${milliseconds(whole.outageMs)}`),
  }
}

/** For bounds with room for a busy machine: those that tell one takeover from a second one. */
export function outageAtMost(boundMs: number): Must {
  return {
    says: `without an owner for at most ${Math.round(boundMs)} ms in all`,
    broken: ({ whole }) =>
      whole.outageMs <= boundMs ? null : `no owner for ${milliseconds(whole.outageMs)}`,
  }
}

export function ownerAgainWithin(boundMs: number): Must {
  return {
    says: `after the heal the VIP is back within ${Math.round(boundMs)} ms`,
    broken: ({ healed }) =>
      healed.outageMs <= boundMs ? null : `nobody had it for ${milliseconds(healed.outageMs)}`,
  }
}

export function ownerDuringFault(node: LabNode): Must {
  return {
    says: `${node} alone has the VIP at the end of the fault`,
    broken: ({ fault }) =>
      isOnly(fault.ownersAtEnd, node) ? null : `${ownersText(fault.ownersAtEnd)} has it`,
  }
}

export function ownerAfterHeal(node: LabNode): Must {
  return {
    says: `${node} alone has the VIP after the heal`,
    broken: ({ healed }) =>
      isOnly(healed.ownersAtEnd, node) ? null : `${ownersText(healed.ownersAtEnd)} has it`,
  }
}

/** The fault costs nobody anything: the node that holds the VIP keeps it. */
export function keepsVip(node: LabNode, { overlapMs }: { overlapMs: number }): readonly Must[] {
  return [
    ownerDuringFault(node),
    ownerAfterHeal(node),
    holderChangesAtMost(0),
    noOutage(),
    overlapAtMost(overlapMs),
  ]
}

/** The VIP moves to the node during the fault, and stays there. */
export function takesVipOver(node: LabNode, { overlapMs }: { overlapMs: number }): readonly Must[] {
  return [ownerDuringFault(node), ownerAfterHeal(node), holderChangesAtMost(1), overlapAtMost(overlapMs)]
}

export function oneOwnerThroughout(): readonly Must[] {
  return [
    oneOwner('exactly one node has the VIP at the end of the fault', ({ fault }) => fault.ownersAtEnd),
    oneOwnerAfterHeal(),
  ]
}

export function oneOwnerAfterHeal(): Must {
  return oneOwner('exactly one node has the VIP after the heal', ({ healed }) => healed.ownersAtEnd)
}

function oneOwner(says: string, owners: (run: MeasuredRun) => readonly LabNode[]): Must {
  return {
    says,
    broken: (run) => (owners(run).length === 1 ? null : `${ownersText(owners(run))} has it`),
  }
}

export function holderChangesAtMost(count: number): Must {
  return {
    says:
      count === 0
        ? 'no change of holder'
        : `at most ${count} ${count === 1 ? 'change' : 'changes'} of holder`,
    broken: ({ whole }) => (whole.holderChanges <= count ? null : `${whole.holderChanges} changes`),
  }
}

export function keepalivedStoppedOn(node: LabNode): Must {
  return {
    says: `keepalived on ${node} is stopped at the end of the fault`,
    broken: ({ faultEnd }) => (faultEnd.keepalivedRuns[node] ? 'it runs' : null),
  }
}

/** Stopped by its admin, and nobody else's to start. */
export function keepalivedLeftStoppedOn(node: LabNode): Must {
  return { ...keepalivedStoppedOn(node), says: `keepalived on ${node} is not started again by the agent` }
}

export function keepalivedBackOn(node: LabNode): Must {
  return {
    says: `keepalived on ${node} is back as BACKUP after the heal`,
    broken: ({ end }) => {
      if (!end.keepalivedRuns[node]) return 'it does not run'
      const state = end.view === null ? null : nodeInstance(end.view, node)?.keepalived
      return state === 'BACKUP' ? null : `its state is ${state ?? 'unknown to the witness'}`
    },
  }
}

export function bothKeepalivedRunAtEnd(): Must {
  return {
    says: 'keepalived runs on both nodes after the heal',
    broken: ({ end }) => {
      const missing = nodes.filter((node) => !end.keepalivedRuns[node])
      return missing.length === 0 ? null : `it does not run on ${missing.join(' and ')}`
    },
  }
}

export function nobodyFenced(): Must {
  return {
    says: 'nobody is fenced',
    broken: (run) => {
      const fenced = nodes.filter((node) => fencesOf(run, node) > 0)
      return fenced.length === 0 ? null : `${fenced.join(' and ')} fenced itself`
    },
  }
}

/** A fence loop is worse than the fault. */
export function fencesAtMost(count: number, node: LabNode): Must {
  return {
    says:
      count === 0
        ? `${node} is not fenced`
        : `${node} is fenced at most ${count === 1 ? 'once' : `${count} times`}`,
    broken: (run) => (fencesOf(run, node) <= count ? null : `it was fenced ${fencesOf(run, node)} times`),
  }
}

/** How often the node's agent fenced it in this run. */
export function fencesOf(run: MeasuredRun, node: LabNode): number {
  const number = ({ view }: Snapshot): number =>
    view === null ? 0 : (nodeInstance(view, node)?.fence?.number ?? 0)
  return Math.max(number(run.faultEnd), number(run.end)) - number(run.before)
}

/** The operator reads in `status`, for each node, what is missing. */
export function toldOnEachNode(what: RegExp): Must {
  return {
    says: `at the end of the fault the warnings of each node match ${String(what)}`,
    broken: ({ faultEnd }) => {
      const warnings = nodes.map((node) => ({
        node,
        texts: faultEnd.view?.nodes.find((each) => each.node === node)?.warnings ?? [],
      }))
      const silent = warnings.filter(({ texts }) => !texts.some((text) => what.test(text)))
      return silent.length === 0
        ? null
        : silent.map(({ node, texts }) => `${node} says: ${texts.join(' | ') || 'nothing'}`).join('; ')
    },
  }
}

function isOnly(owners: readonly LabNode[], node: LabNode): boolean {
  return owners.length === 1 && owners[0] === node
}

type Phase = 'fault' | 'healed' | 'whole'
const phaseText: Readonly<Record<Phase, string>> = {
  fault: 'during the fault',
  healed: 'after the heal',
  whole: 'in all',
}
const measureText: Readonly<Partial<Record<Measure, string>>> = {
  overlapMs: 'overlap',
  outageMs: 'outage',
  longestDarkMs: 'client dark',
}

/** A bound on a figure over all runs. */
export function benchBound(
  measure: Measure,
  phase: Phase,
  bound: { medianMs?: number; maxMs?: number },
): BenchMust {
  const { medianMs = Infinity, maxMs = Infinity } = bound
  const parts = [
    ...(medianMs < Infinity ? [`median ≤ ${medianMs} ms`] : []),
    ...(maxMs < Infinity ? [`max ≤ ${maxMs} ms`] : []),
  ]
  return {
    says: `${measureText[measure] ?? measure} ${phaseText[phase]}: ${parts.join(', ')}`,
    needsAlone: false,
    broken: (figures) => {
      const figure = figures[phase][measure]
      return figure.median <= medianMs && figure.max <= maxMs ? null : `${figureText(figure)} ms`
    },
  }
}

/** An outage that is no longer than this is the handover of a preempting keepalived, and no ratio says anything. */
const handoverGrainMs = 50

/** Not slower than keepalived alone under the same fault, by the ratio of medians. */
export function outageRatioAtMost(ratio: number): BenchMust {
  return {
    says: `outage ≤ ${ratio} × that of keepalived alone (medians)`,
    needsAlone: true,
    broken: (figures, alone) => {
      if (alone === null) return null
      const ours = figures.whole.outageMs.median
      const theirs = alone.whole.outageMs.median
      return ours <= Math.max(handoverGrainMs, ratio * theirs) ? null : `${ours} ms against ${theirs} ms`
    },
  }
}

/** Holds in every scenario: after the heal clients find the VIP at once. */
export const notDarkAfterHeal = benchBound('longestDarkMs', 'healed', { maxMs: 100 })
