/** The command line of witnessd. */
import { Command, CommanderError } from 'commander'
import { witnessPort } from '../shared/protocol/names.ts'

export const exitCodes = {
  /** Ended because it was asked to. */
  ok: 0,
  /** The port or the folders are not available. */
  unavailable: 1,
  /** A mistake in the command line or the configuration, or an authority that is broken. */
  usage: 2,
  /** A fault of the program itself: it ends rather than decide on a broken state. */
  fault: 70,
} as const

export type Options =
  | { readonly kind: 'run'; readonly config: string | null }
  /** Help or version has been printed, or the mistake has been reported: end with this code. */
  | { readonly kind: 'end'; readonly code: number }

export function parseOptions(args: readonly string[], version: string): Options {
  const command = new Command('witnessd')
    .description(
      'The witness of keepalived pairs. It has one vote per vrrp_instance, so that two nodes never hold the same virtual IP.',
    )
    .version(version)
    .option(
      '--config <file>',
      `witness.yaml; without it, witnessd listens on port ${witnessPort} and uses its default data folder`,
    )
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Exit codes: ${exitCodes.ok} stopped on request, ${exitCodes.unavailable} port, folder or keys not available,
  ${exitCodes.usage} mistake in the command line or configuration, ${exitCodes.fault} internal fault.
The log is written to stdout as JSON lines.`,
    )
    .exitOverride()
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { kind: 'end', code: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage }
  }
  const { config } = command.opts<{ config?: string }>()
  return { kind: 'run', config: config ?? null }
}
