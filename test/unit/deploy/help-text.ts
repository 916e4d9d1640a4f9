/** What a program says of itself with --help, from source: its commands and their options. */
import { execFileSync } from 'node:child_process'

export const programs = {
  witnessd: 'server/main.ts',
  'witness-agent': 'agent/main.ts',
  witnessctl: 'server/witnessctl/main.ts',
} as const
export type Program = keyof typeof programs

export interface Help {
  /** Empty: the program itself. */
  readonly command: string
  /** Long names, like `--config`. */
  readonly options: readonly string[]
}

const helps = new Map<Program, readonly Help[]>()

/** The program's own help first, then that of each command. */
export function helpOf(program: Program): readonly Help[] {
  const known = helps.get(program)
  if (known !== undefined) return known
  const text = helpText(program, [])
  const commands = namesUnder('Commands:', text, /^ {2}([a-z][\w-]*)/)
  const found = [
    { command: '', options: optionsIn(text) },
    ...commands
      .filter((command) => command !== 'help')
      .map((command) => ({ command, options: optionsIn(helpText(program, [command])) })),
  ]
  helps.set(program, found)
  return found
}

function helpText(program: Program, command: readonly string[]): string {
  return execFileSync(process.execPath, ['--import', 'tsx', programs[program], ...command, '--help'], {
    encoding: 'utf8',
  })
}

function optionsIn(text: string): string[] {
  return namesUnder('Options:', text, /^ {2}(?:-\w, )?(--[a-z][\w-]*)/)
}

function namesUnder(heading: string, text: string, shape: RegExp): string[] {
  const [, after = ''] = text.split(`\n${heading}\n`)
  const [section = ''] = after.split('\n\n')
  return section.split('\n').flatMap((line) => shape.exec(line)?.[1] ?? [])
}
