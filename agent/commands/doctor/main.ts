/**
 * `witness-agent doctor`: one line for each thing on which protection depends, and what to do if it is not in order.
 */
import { uptime } from 'node:os'
import type { Command } from 'commander'
import { bootClockMs, bootId } from '../../../shared/host/boot-clock.ts'
import { performance } from 'node:perf_hooks'
import { examine } from './doctor.ts'
import { exitCodeOf, renderFindings } from './finding.ts'

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('checks everything that protection depends on and shows what to do; changes nothing')
    .option('--json', 'print the findings as JSON', false)
    .addHelpText('after', '\nExit codes: 0 no problems; 1 warnings; 2 failures.')
    .action(async ({ json }: { json: boolean }, command: Command) => {
      const { config } = command.optsWithGlobals<{ config: string }>()
      const findings = await examine(config, {
        bootId: bootId(),
        bootMs: bootClockMs,
        uptimeMs: () => uptime() * 1000,
        monotonicMs: () => performance.now(),
        wallMs: () => Date.now(),
        pauseMs: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
      })
      process.stdout.write(json ? `${JSON.stringify(findings, null, 2)}\n` : renderFindings(findings))
      process.exitCode = exitCodeOf(findings)
    })
}
