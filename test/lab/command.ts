import { execFile } from 'node:child_process'

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class CommandError extends Error {
  readonly code = 'command'
}

/** Runs a program without a shell; a non-zero exit is a result, a program that cannot start is an error. */
export function tryCommand(
  program: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { encoding: 'utf8', timeout: options.timeoutMs ?? 20_000, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr })
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr })
        else
          reject(
            new CommandError(`${program} ${args.join(' ')}: ${error.message} ${stderr}`.trim(), {
              cause: error,
            }),
          )
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input ?? '')
  })
}

/** @throws CommandError with the program's output if it exits non-zero. */
export async function command(
  program: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<string> {
  const { code, stdout, stderr } = await tryCommand(program, args, options)
  if (code !== 0)
    throw new CommandError(`${program} ${args.join(' ')}: exit ${code}: ${(stderr || stdout).trim()}`)
  return stdout
}
