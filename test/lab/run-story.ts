/** One run as lines of text, for whoever has to find out what happened. */
import { type MeasuredRun } from './measured-run.ts'

export function runStory(run: MeasuredRun): string {
  const { fault, healed } = run.spans
  const lines: { atMs: number; text: string }[] = [
    { atMs: fault.fromMs, text: 'the fault begins' },
    { atMs: healed.fromMs, text: 'the fault heals' },
    { atMs: healed.toMs, text: 'the watch ends' },
    ...run.changes.map(({ atMs, node, has }) => ({
      atMs,
      text: has ? `${node} got the VIP` : `${node} no longer has the VIP`,
    })),
    ...run.events.map(({ at, node, level, event, text }) => ({
      atMs: Date.parse(at),
      text: `${level} ${event}${node === null ? '' : ` (${node})`}: ${text}`,
    })),
  ]
  return lines
    .sort((one, other) => one.atMs - other.atMs)
    .map(({ atMs, text }) => `${((atMs - fault.fromMs) / 1000).toFixed(3).padStart(9)} s  ${text}`)
    .join('\n')
}
