/**
 * Whether something that an instance tracks has a weight. Then keepalived may run with another priority than
 * keepalived.conf says. keepalived.conf(5), "Interface up/down delays" and the `track_*` blocks.
 */
import type { Profile } from '../../shared/protocol/plan.ts'
import { all, knownWord, last, type Statement } from './statements.ts'

interface Tracker {
  /** The block in a vrrp_instance or vrrp_sync_group. */
  readonly uses: readonly string[]
  /** Where a name in it is defined. */
  readonly definitions: readonly string[]
  /** The weight if neither says one. */
  readonly byDefault: number
}

const trackers: readonly Tracker[] = [
  { uses: ['track_script'], definitions: ['vrrp_script'], byDefault: 0 },
  { uses: ['track_interface'], definitions: [], byDefault: 0 },
  {
    uses: ['track_file', 'vrrp_track_file'],
    definitions: ['track_file', 'vrrp_track_file'],
    byDefault: 1,
  },
  { uses: ['track_process'], definitions: ['vrrp_track_process'], byDefault: 1 },
  { uses: ['track_bfd'], definitions: ['bfd_instance'], byDefault: 0 },
]

/**
 * @param root the whole configuration
 * @returns undefined: nothing has a weight. `told`: something has, and keepalived writes each change of the priority
 * into the FIFO
 */
export function weightsOf(root: Statement[], instance: Statement): Profile['weights'] {
  const groups = all(root, 'vrrp_sync_group').filter((group) => hasMember(group, instance.words[1] ?? ''))
  const isWeighed = [instance, ...groups].some((tracking) => tracksWithWeight(root, tracking))
  if (!isWeighed) return undefined
  return tellsChanges(root, instance, groups) ? 'told' : 'untold'
}

function hasMember(group: Statement, name: string): boolean {
  return all(group.block, 'group').some(
    (line) => line.words.includes(name) || (line.block ?? []).some((member) => member.words.includes(name)),
  )
}

function tracksWithWeight(root: Statement[], tracking: Statement): boolean {
  return trackers.some(({ uses, definitions, byDefault }) =>
    all(tracking.block, ...uses)
      .flatMap((block) => block.block ?? [])
      .some((use) => {
        const definition = all(root, ...definitions).find(({ words }) => words[1] === use.words[0])
        const weight = writtenWeight(use, definition)
        // A word that only the running keepalived knows may be any number.
        return weight === undefined ? byDefault !== 0 : Number(weight) !== 0
      }),
  )
}

function writtenWeight(use: Statement, definition: Statement | undefined): string | undefined {
  const at = use.words.indexOf('weight')
  return at < 0 ? last(definition?.block ?? null, 'weight')?.words[1] : use.words[at + 1]
}

/** The instance's own word, then its group's, then the global one. */
function tellsChanges(root: Statement[], instance: Statement, groups: Statement[]): boolean {
  const globals = all(root, 'global_defs').flatMap((defs) => defs.block ?? [])
  const line =
    last(instance.block, 'notify_priority_changes') ??
    groups
      .map((group) => last(group.block, 'notify_priority_changes'))
      .find((found) => found !== undefined) ??
    last(globals, 'vrrp_notify_priority_changes')
  if (line === undefined) return false
  const word = line.words.length < 2 ? 'true' : (knownWord(line, 1) ?? '')
  return ['true', 'on', 'yes'].includes(word)
}
