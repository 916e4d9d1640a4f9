/** Processes that look like keepalived's: the program `sleep` under keepalived's name, and pid files. */
import { spawn, type ChildProcess } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

export interface FakeKeepalived {
  readonly pidFile: string
  readonly vrrpPidFiles: readonly string[]
  readonly parent: ChildProcess
  readonly vrrp: ChildProcess
  /** Ends whatever is left. */
  end(): void
}

export async function fakeKeepalived(folder: string): Promise<FakeKeepalived> {
  const program = join(folder, 'keepalived')
  copyFileSync('/usr/bin/sleep', program)
  const start = (pidFile: string): ChildProcess => {
    const child = spawn(program, ['60'], { stdio: 'ignore' })
    writeFileSync(join(folder, pidFile), `${child.pid}\n`)
    return child
  }
  const parent = start('keepalived.pid')
  const vrrp = start('vrrp.pid')
  await eventually('both processes run', () => parent.pid !== undefined && vrrp.pid !== undefined)
  return {
    pidFile: join(folder, 'keepalived.pid'),
    vrrpPidFiles: [join(folder, 'vrrp.pid'), join(folder, 'keepalived_vrrp.pid')],
    parent,
    vrrp,
    end: () => {
      for (const child of [parent, vrrp]) if (child.exitCode === null) child.kill('SIGKILL')
    },
  }
}
