/** Whether this node enforces, as the agent wrote it for the check. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail, type Finding, ok } from './finding.ts'

/** None where no agent has run yet, which other findings say. */
export function checkArming(of: {
  readonly stateDir: string
  readonly instances: readonly string[]
}): readonly Finding[] {
  let settings: string
  try {
    settings = readFileSync(join(of.stateDir, 'check.conf'), 'utf8')
  } catch {
    return []
  }
  const armed = new Set((/^ARMED=(.*)$/m.exec(settings)?.[1] ?? '').split(' '))
  return of.instances.map((instance) =>
    armed.has(instance)
      ? ok('armed', `${instance}: this node has seen a settled cluster, and enforces`)
      : fail(
          'armed',
          `${instance}: not armed yet: this node only watches and votes, so it protects nothing`,
          '"witnessctl status" says what is missing; it takes about two seconds once both agents, the witness and keepalived are running and hear each other',
        ),
  )
}
