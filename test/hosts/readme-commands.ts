/**
 * The commands that the README tells an admin to type, word for word. A block of commands is fenced as `sh`, and the
 * line before it names the hosts, in the order in which they are visited: `**On lb02, then on lb01:**`.
 */
import { nodes } from '../lab/address-plan.ts'
import { type HostName } from './hosts-lab.ts'

export interface ReadmeStep {
  readonly host: HostName
  readonly line: string
  readonly lineNumber: number
}

export class ReadmeError extends Error {
  readonly code = 'readme'
}

const hostWords: Readonly<Record<string, readonly HostName[]>> = {
  'the witness host': ['witness'],
  lb01: ['lb01'],
  lb02: ['lb02'],
  'each node': nodes,
}

/**
 * @param heading of the section, without its marks: `Protect a pair in ten minutes`
 * @throws ReadmeError if there is no such section, or if a block names no host or an unknown one
 */
export function readmeSteps(text: string, heading: string): readonly ReadmeStep[] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => isHeading(line) && line.replace(/^#+ /, '') === heading)
  if (start === -1) throw new ReadmeError(`the README has no section "${heading}"`)
  const next = lines.findIndex((line, at) => at > start && isHeading(line))
  const end = next === -1 ? lines.length : next
  return blocksOf(lines, { start, end }).flatMap(({ hosts, commands }) =>
    hosts.flatMap((host) => commands.map((command) => ({ host, ...command }))),
  )
}

/** A heading below a section begins a section of its own. */
function isHeading(line: string): boolean {
  return /^#{2,6} /.test(line)
}

interface Block {
  readonly hosts: readonly HostName[]
  readonly commands: readonly { readonly line: string; readonly lineNumber: number }[]
}

function blocksOf(
  lines: readonly string[],
  { start, end }: { start: number; end: number },
): readonly Block[] {
  const blocks: Block[] = []
  for (let at = start; at < end; at += 1) {
    if (lines[at] !== '```sh') continue
    const close = lines.indexOf('```', at)
    const commands = lines
      .slice(at + 1, close)
      .map((line, index) => ({ line, lineNumber: at + 2 + index }))
      .filter(({ line }) => line.trim() !== '' && !line.startsWith('#'))
    blocks.push({ hosts: hostsBefore(lines, at), commands })
    at = close
  }
  return blocks
}

function hostsBefore(lines: readonly string[], at: number): readonly HostName[] {
  const said = lines.slice(0, at).findLast((line) => line.trim() !== '') ?? ''
  const [, words] = /^\*\*On (.+):\*\*$/.exec(said) ?? []
  if (words === undefined)
    throw new ReadmeError(
      `README line ${at + 1}: the line before the commands does not say on which host: ${said}`,
    )
  return words.split(', then on ').flatMap((word) => {
    const hosts = hostWords[word]
    if (hosts === undefined) throw new ReadmeError(`README line ${at + 1}: the lab has no host "${word}"`)
    return hosts
  })
}
