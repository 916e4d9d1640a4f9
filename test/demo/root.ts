/** The lab creates namespaces, which needs root. Everything else of the demo is done as the user who runs it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tryCommand } from '../lab/command.ts'

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Whether sudo works without asking, or there is a terminal on which it can ask. */
export async function canUseSudo(): Promise<boolean> {
  try {
    const { code } = await tryCommand('sudo', ['-n', 'true'])
    return code === 0 || process.stdin.isTTY
  } catch {
    return false // There is no sudo.
  }
}

/** Environment variables that sudo would drop and this program reads. */
const keptVariables = ['PATH', 'LANG', 'LC_ALL', 'LC_MESSAGES', 'NO_COLOR', 'TERM'] as const

/** Tells the program that it is the second part, as root, of a program that has already begun. */
export const goingOn = 'KEEPALIVED_WITNESS_DEMO_GOES_ON'

/**
 * Runs this program again as root, in place of this one.
 * @returns its exit code
 */
export async function runAgainAsRoot(program: string): Promise<number> {
  const kept = keptVariables.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [`${name}=${value}`]
  })
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), program]
  const child = spawn('sudo', ['env', `${goingOn}=1`, ...kept, ...command, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  // Ctrl-C goes to everything in the foreground; the process that has a lab to end decides when it is over.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal)
    })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
