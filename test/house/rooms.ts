/**
 * The rooms of the house and their walls: what each place may import. A file that no room covers is an error, so a new
 * folder needs a line here, and whoever reviews it sees which walls it gets. docs/architecture.md draws the picture.
 */

export interface Room {
  /** A folder with everything below it, or one file. The longest that fits a file is its room. */
  readonly at: string
  /**
   * Other places that its files may import: a folder with everything below it, a file, or `FOLDER/*` for the files that
   * lie directly in it.
   */
  readonly may: readonly string[]
  /** Its files do not import each other; absent: they may. */
  readonly apart?: true
  /** What everybody outside may import of it and of the rooms below it; absent: everything. */
  readonly face?: readonly string[]
  /** Packages and `node:` modules that it may import; absent: any. */
  readonly packages?: readonly string[]
}

/** It decides: state and event in, state and effects out. */
const pure = { packages: [] } as const
const words = ['shared/core', 'shared/protocol', 'shared/assert-never.ts']
const small = ['shared/assert-never.ts', 'shared/error-message.ts']

export const rooms: readonly Room[] = [
  { at: 'shared/assert-never.ts', may: [], ...pure },
  { at: 'shared/error-message.ts', may: [], packages: [] },
  { at: 'shared/protocol', may: [], packages: ['zod'] },
  { at: 'shared/core', may: ['shared/protocol', 'shared/assert-never.ts'], ...pure },
  { at: 'shared/disk', may: ['shared/core', 'shared/protocol', ...small] },
  { at: 'shared/identity', may: ['shared/disk', 'shared/protocol', ...small] },
  { at: 'shared/network', may: ['shared/identity', 'shared/protocol', ...small] },
  { at: 'shared/host', may: ['shared/protocol', ...small] },

  {
    at: 'agent/core/guard',
    may: [...words, 'agent/core/guard/events', 'agent/core/guard/phases'],
    face: ['agent/core/guard/guard.ts', 'agent/core/guard/deadline.ts'],
    ...pure,
  },
  // Phases stand side by side: the only way from one into another is a function of transitions.ts.
  { at: 'agent/core/guard/phases', may: [...words, 'agent/core/guard/*'], apart: true, ...pure },
  { at: 'agent/core/guard/events', may: [...words, 'agent/core/guard/*'], ...pure },
  { at: 'agent/core', may: words, ...pure },
  { at: 'agent/config.ts', may: ['agent/keepalived/usual-paths.ts', 'shared/protocol', 'shared/host'] },
  { at: 'agent/check', may: ['shared/disk'] },
  { at: 'agent/keepalived', may: ['agent/core', 'shared/host', 'shared/protocol', ...small] },
  { at: 'agent/keepalived-conf', may: ['agent/keepalived/vip.ts', 'shared/protocol'] },
  {
    at: 'agent/fence',
    may: [
      'agent/core',
      'agent/keepalived',
      'shared/core',
      'shared/disk',
      'shared/host',
      // Paces.
      'shared/network',
      'shared/protocol',
    ],
  },
  {
    at: 'agent/runtime',
    may: [
      'agent/core',
      'agent/check',
      'shared/core',
      'shared/disk',
      'shared/host',
      'shared/protocol',
      ...small,
    ],
  },
  {
    at: 'agent/voters',
    may: ['agent/core', 'shared/core', 'shared/identity', 'shared/network', 'shared/protocol', ...small],
  },
  {
    at: 'agent/commands',
    may: [
      'agent/config.ts',
      'agent/check',
      'agent/keepalived',
      'agent/keepalived-conf',
      'agent/fence',
      'agent/voters',
      'agent/runtime',
      'shared',
    ],
  },
  // These two compose the program, so they may see all of it.
  { at: 'agent/agent.ts', may: ['agent', 'shared'] },
  { at: 'agent/main.ts', may: ['agent', 'shared'] },

  {
    at: 'server/core/arbiter',
    may: words,
    face: ['arbiter', 'occurrence', 'queries'].map((name) => `server/core/arbiter/${name}.ts`),
    ...pure,
  },
  { at: 'server/core/enrolment', may: ['shared/core', 'shared/protocol'], ...pure },
  { at: 'server/core/status', may: ['server/core/arbiter', ...words], ...pure },
  { at: 'server/config.ts', may: ['shared/core', 'shared/protocol', 'shared/host'] },
  { at: 'server/options.ts', may: ['shared/host', 'shared/protocol'] },
  { at: 'server/records', may: ['server/core', 'shared/core', 'shared/disk', 'shared/protocol'] },
  {
    at: 'server/registry',
    may: ['server/core', 'shared/disk', 'shared/identity', 'shared/protocol', ...small],
  },
  { at: 'server/clusters', may: ['server/core', 'server/config.ts', 'server/records', 'shared'] },
  { at: 'server/agents', may: ['server/clusters', 'server/registry', 'shared'] },
  { at: 'server/api', may: ['server/clusters', 'server/registry', 'server/core', 'shared'] },
  {
    at: 'server/witnessctl',
    may: ['shared/protocol', 'shared/identity', 'shared/network', 'shared/assert-never.ts'],
  },
  { at: 'server/witness.ts', may: ['server', 'shared'] },
  { at: 'server/main.ts', may: ['server', 'shared'] },

  { at: 'deploy', may: ['shared'] },
]

/** Every source file below these needs a room. */
export const wings = ['server', 'agent', 'shared', 'deploy'] as const
