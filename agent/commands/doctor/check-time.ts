/** How long the check takes, run as keepalived runs it but without effect on anything. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../../shared/error-message.ts'
import { runCommand } from '../../../shared/host/command.ts'
import { writePermit } from '../../check/permit-file.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const runs = 5
const slowMs = 200

/** It runs with a folder and a permit of its own, so neither the agent nor the witness notices it. */
export async function checkTime(of: {
  readonly script: string
  readonly bootId: string
  readonly bootMs: number
}): Promise<Finding> {
  let folder: string
  try {
    folder = mkdtempSync(join(tmpdir(), 'witness-doctor-'))
  } catch (cause) {
    return warn(
      'check-time',
      `the check cannot be tried, because a temporary folder for it cannot be created (${messageOf(cause)})`,
      'check TMPDIR and the file system that it names',
    )
  }
  try {
    return await timeIn(folder, of)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function timeIn(
  folder: string,
  of: { readonly script: string; readonly bootId: string; readonly bootMs: number },
): Promise<Finding> {
  const instance = 'doctor'
  writeFileSync(join(folder, 'check.conf'), `MODE=enforce\nALONE=stop\nRUN_DIR=${folder}\n`)
  writePermit(
    { runDir: folder, instance, bootId: of.bootId },
    { word: 'permit', untilMs: of.bootMs + 60_000, why: 'the doctor asks' },
  )
  const tookMs: number[] = []
  for (let run = 0; run < runs; run++) {
    const startedAtMs = performance.now()
    const { error } = await runCommand([of.script, '--state-dir', folder, instance], { timeoutMs: 5000 })
    if (error !== null)
      return fail(
        'check-time',
        `the check cannot be run: ${error}`,
        'install the package again; the script must be executable and at the path that keepalived.conf names',
      )
    tookMs.push(performance.now() - startedAtMs)
  }
  const worst = Math.round(Math.max(...tookMs))
  if (worst >= slowMs)
    return warn(
      'check-time',
      `the check takes up to ${worst} ms although a permit is present`,
      'find out what keeps this host busy; keepalived gives a run of the check up after two seconds',
    )
  return ok('check-time', `the check takes at most ${worst} ms (${runs} runs)`)
}
