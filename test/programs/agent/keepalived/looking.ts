/**
 * Looks at a keepalived as the agent of this network namespace does, kills it, and looks again: looking.ts CONFIG PID
 * NAMESPACE
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { KeepalivedProcesses } from '../../../../agent/keepalived/process.ts'

const [, , config = '', pid = '', namespace = ''] = process.argv

const processes = new KeepalivedProcesses(() => ({
  pidFile: '/run/keepalived.pid',
  vrrpPidFiles: ['/run/vrrp.pid', '/run/keepalived/vrrp.pid'],
  names: { parent: null, vrrp: null, others: [] },
  searchFor: config,
}))
const waitMs = (durationMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, durationMs))
const told = (): unknown => {
  const { state, elsewhere, died, why } = processes.look()
  return { state, elsewhere, died, why }
}
const before = told()
const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/)
// Frozen first, because a child whose parent is gone ends in order, and takes the VIP off.
for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
  for (const each of [...children, pid]) process.kill(Number(each), signal)
// Longer than the pause between two searches.
await waitMs(1200)
const after = told()
const addresses = execFileSync('ip', ['-n', namespace, '-br', 'addr'], { encoding: 'utf8' })
process.stdout.write(JSON.stringify({ before, after, addresses }))
