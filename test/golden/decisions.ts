/** The whole document: what every part decides in every situation, written by the code itself. */
import { arbiterFamilies, arbiterGroups } from './arbiter-table.ts'
import { guardFamilies, guardGroups } from './guard-table.ts'
import { layOut } from './table.ts'
import { voterGroups } from './voter-table.ts'

/** Beside this file: what `npm run golden` writes. */
export const goldenFile = new URL('decisions.md', import.meta.url)

const preface = [
  '# Decisions',
  '',
  'Written by `npm run golden` from the code itself: each situation is reached by driving the real cores, and each event',
  'is then put to them. A change here is a change of behaviour: read it as one.',
  '',
  '`[situations] events → state that follows  effects in their order`. A dot: the same state. `—`: no effect. Rows that',
  'say the same are merged; what stands in no row for a situation changes nothing there, and `nothing:` names what',
  'changes nothing in the whole group. Instants are `+ms` from the event, or from the effect where one has an end. `e` is',
  'the highest epoch known before the turn, `mark e +1900` a promise under it for 1900 ms, `mark e void` its end, `record`',
  'a ballot on its way to the disk. `"word"` is what operators are told (`!` warning, `!!` critical), `check: permit +2300`',
  'the line that keepalived’s check reads. Where time passes, routine renewals are left out. All timings are the defaults.',
  '',
]

export function describeDecisions(): string {
  const lines = [
    ...preface,
    ...voterGroups().flatMap((group) => layOut(group)),
    ...arbiterGroups().flatMap((group) => layOut(group, arbiterFamilies)),
    ...guardGroups().flatMap((group) => layOut(group, guardFamilies)),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}
