/** Runs a program without a shell, because nothing on the safety path may depend on quoting. */
import { execFile } from 'node:child_process'

export interface CommandResult {
  /** What went wrong, in words; null: the program ended with exit code 0. */
  readonly error: string | null
  readonly stdout: string
  readonly stderr: string
}

const maxOutputBytes = 8 * 1024 * 1024

/**
 * Resolves when the program ends, or at the deadline, when the program is killed and the error says so. A program
 * that not even SIGKILL ends (because it waits in the kernel) is left behind, and the promise resolves all the same.
 */
export function runCommand(
  argv: readonly string[],
  options: { readonly timeoutMs: number; readonly input?: string },
): Promise<CommandResult> {
  const [file, ...args] = argv
  if (file === undefined) return Promise.resolve({ error: 'the command is empty', stdout: '', stderr: '' })
  const shown = argv.join(' ')
  return new Promise((resolve) => {
    let overdue = false
    const child = execFile(
      file,
      args,
      { encoding: 'utf8', maxBuffer: maxOutputBytes, env: { ...process.env, LC_ALL: 'C' } },
      (cause, stdout, stderr) => {
        clearTimeout(deadline)
        if (overdue) return
        resolve({ error: cause === null ? null : described(shown, cause, stderr), stdout, stderr })
      },
    )
    // A program that ends before it has read everything says so by its exit code.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input)
    const deadline = setTimeout(() => {
      overdue = true
      child.kill('SIGKILL')
      child.stdout?.destroy()
      child.stderr?.destroy()
      resolve({
        error: `"${shown}" did not end within ${options.timeoutMs} ms and was killed`,
        stdout: '',
        stderr: '',
      })
    }, options.timeoutMs)
  })
}

function described(
  shown: string,
  cause: Error & { code?: unknown; signal?: unknown },
  stderr: string,
): string {
  if (cause.code === 'ENOENT') return `"${shown}": no such program`
  const said = stderr.trim().split('\n').at(-1) ?? ''
  const ended =
    typeof cause.code === 'number'
      ? `exit code ${cause.code}`
      : typeof cause.signal === 'string'
        ? `ended by ${cause.signal}`
        : cause.message
  return `"${shown}": ${ended}${said === '' ? '' : `: ${said}`}`
}
