/**
 * `witness-agent setup`: shows which lines keepalived.conf lacks, adds them, and removes them again. It never starts,
 * reloads or stops keepalived. docs/operating/setup.md has its options and exit codes.
 */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Option, type Command } from 'commander'
import { messageOf } from '../../../shared/error-message.ts'
import { ConfigError, loadConfig } from '../../../shared/host/config-file.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'
import { agentConfigSchema, usualAgentYaml, usualCheckProgram, type AgentConfig } from '../../config.ts'
import { readProcessKeywords } from '../../keepalived-conf/process-keywords.ts'
import { keepalivedPlaces, type KeepalivedPlaces } from '../../keepalived/places.ts'
import { readingOf, runningOptions } from '../../keepalived/running-options.ts'
import { defaultConfigId } from '../../keepalived-conf/statements.ts'
import { KeepalivedConfError } from '../../keepalived-conf/lines.ts'
import { draftApply, draftUndo, type ApplyDraft, type Change, type Draft } from './conf-draft.ts'
import { reportOf } from './conf-report.ts'
import { priorityChangesSince } from '../../keepalived-conf/product-lines.ts'
import { isAtLeast, isExpected, KeepalivedMissing, newComplaints } from './conf-test.ts'
import { backUp, isBackupOf, readBytes, replaceText } from './replace-file.ts'
import { SetupError } from './error.ts'
import { unifiedDiff } from './unified-diff.ts'

export const setupExits = {
  /** What was asked for is done, or there was nothing to do. */
  done: 0,
  /** Without `--apply`: lines are missing, and the diff shows them. */
  wouldChange: 1,
  /** Something that the admin must correct; nothing was changed. */
  mistake: 2,
} as const
export type SetupExit = (typeof setupExits)[keyof typeof setupExits]

/** Of agent.yaml. */
const defaultOf = {
  runDir: agentConfigSchema.shape.runDir.parse(undefined),
  stateDir: agentConfigSchema.shape.stateDir.parse(undefined),
  keepalived: agentConfigSchema.shape.keepalived.parse(undefined),
}

export interface SetupOptions {
  readonly does: 'show' | 'apply' | 'undo'
  /** agent.yaml; if the usual one does not exist yet, the defaults are used. */
  readonly config: string
  /** Instead of agent.yaml's `keepalived.config`. */
  readonly keepalivedConfig: string | null
  readonly configId: string | null
  readonly checkProgram: string
  readonly advised: boolean
}

export interface SetupSurroundings {
  readonly now: Date
  /** The diff and nothing else, in the bytes of the files. */
  readonly showDiff: (bytes: Buffer) => void
  readonly say: (line: string) => void
}

interface Parsed {
  apply?: true
  undo?: true
  advised?: true
  config?: string
  keepalivedConfig?: string
  configId?: string
  checkProgram: string
}

export function addSetupCommand(program: Command): void {
  program
    .command('setup')
    .description('Shows which lines keepalived.conf lacks; adds them with --apply, removes them with --undo.')
    .addOption(new Option('--apply', 'back up, test with keepalived -t, and add the lines').conflicts('undo'))
    .addOption(new Option('--undo', 'remove the lines again'))
    .option('--advised', 'also add what is only advisable: GARP refresh, nopreempt, enable_script_security')
    .option(
      '--keepalived-config <file>',
      "keepalived's configuration, instead of keepalived.config in agent.yaml",
    )
    .option('--config-id <id>', "the value of keepalived's -i option, if it is started with one")
    .option('--check-program <file>', 'the check that keepalived runs', usualCheckProgram)
    .option('--config <file>', 'configuration of the agent', usualAgentYaml)
    .addHelpText(
      'after',
      '\nExit codes: 0 done, or nothing to do; 1 lines are missing (without --apply); 2 a mistake, nothing was changed.',
    )
    .action(async (_options: unknown, command: Command) => {
      // The program itself also has --config, and takes it wherever it is written.
      const parsed = command.optsWithGlobals<Parsed>()
      process.exitCode = await runSetup(optionsOf(parsed), {
        now: new Date(),
        showDiff: (bytes) => process.stdout.write(bytes),
        say: (line) => process.stderr.write(`${line}\n`),
      })
    })
}

function optionsOf(parsed: Parsed): SetupOptions {
  return {
    does: parsed.undo === true ? 'undo' : parsed.apply === true ? 'apply' : 'show',
    config: parsed.config ?? usualAgentYaml,
    keepalivedConfig: parsed.keepalivedConfig ?? null,
    configId: parsed.configId ?? null,
    checkProgram: parsed.checkProgram,
    advised: parsed.advised === true,
  }
}

export async function runSetup(options: SetupOptions, surroundings: SetupSurroundings): Promise<SetupExit> {
  try {
    return await new Setup(options, surroundings).run()
  } catch (cause) {
    if (!isForAdmin(cause)) throw cause
    surroundings.say(isDenied(cause) ? `${cause.message}; run this as root` : cause.message)
    return setupExits.mistake
  }
}

function isForAdmin(cause: unknown): cause is Error {
  return (
    [SetupError, KeepalivedConfError, ConfigError].some((kind) => cause instanceof kind) || isOfSystem(cause)
  )
}

/** No permission or a full disk, for example. The system's own message names the file. */
function isOfSystem(cause: unknown): boolean {
  return cause instanceof Error && 'syscall' in cause && 'path' in cause
}

function isDenied(cause: Error): boolean {
  return 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM')
}

class Setup {
  readonly #options: SetupOptions
  readonly #surroundings: SetupSurroundings
  readonly #runDir: string
  readonly #stateDir: string
  readonly #program: string
  readonly #path: string
  readonly #configId: string
  /** What keepalived itself is given as `-i`; null: nothing. */
  readonly #givenConfigId: string | null

  constructor(options: SetupOptions, surroundings: SetupSurroundings) {
    this.#options = options
    this.#surroundings = surroundings
    // A file that was named must exist, because with the defaults instead setup would protect other paths than the
    // agent's.
    const isNotThereYet = options.config === usualAgentYaml && !existsSync(options.config)
    const { runDir, stateDir, keepalived } = isNotThereYet
      ? defaultOf
      : loadConfig(options.config, agentConfigSchema)
    this.#runDir = runDir
    this.#stateDir = stateDir
    this.#program = keepalived.program
    const { reading } = readingOf(keepalived, runningOptions(placesOf(keepalived)))
    this.#path = options.keepalivedConfig ?? reading.config
    this.#givenConfigId = options.configId ?? reading.configId
    this.#configId = this.#givenConfigId ?? defaultConfigId()
  }

  async run(): Promise<SetupExit> {
    if (this.#options.does === 'undo') return this.#undo()
    const { checkProgram, advised } = this.#options
    const draft = draftApply({
      path: this.#path,
      configId: this.#configId,
      runDir: this.#runDir,
      checkProgram,
      stateDir: this.#stateDir === defaultOf.stateDir ? null : this.#stateDir,
      advised,
      tellsPriorities: await isAtLeast(this.#program, priorityChangesSince),
    })
    this.#tell(draft)
    if (draft.changes.length === 0) {
      this.#say('Nothing to do: every line that setup adds is already there.')
      return setupExits.done
    }
    this.#showDiff(draft)
    if (this.#options.does === 'show') {
      this.#say('Nothing was changed. To add these lines: witness-agent setup --apply')
      return setupExits.wouldChange
    }
    return this.#apply(draft)
  }

  #say(line: string): void {
    this.#surroundings.say(line)
  }

  #tell(draft: ApplyDraft): void {
    const { instances, warnings, advice } = reportOf({ ...draft, timing: defaultTiming })
    for (const line of instances) this.#say(line)
    for (const line of [...warnings, ...draft.edited]) this.#say(`! ${line}`)
    for (const line of advice) this.#say(`- ${line}`)
  }

  #showDiff({ changes }: Draft): void {
    for (const { file, before, after } of changes) {
      const name = Buffer.from(file, 'utf8').toString('latin1')
      this.#surroundings.showDiff(Buffer.from(unifiedDiff(name, before, after), 'latin1'))
    }
  }

  async #apply(draft: ApplyDraft): Promise<SetupExit> {
    for (const line of await this.#test(draft))
      this.#say(
        `- from now on "keepalived -t" also says "${line}" and does not end with 0, because keepalived runs the check, and enable_script_security is not set. The check works all the same; the advice about enable_script_security above says what to do`,
      )
    for (const { realPath } of draft.changes) {
      const copy = backUp(realPath, { at: this.#surroundings.now, includes: draft.includes })
      this.#say(`The previous version was saved as ${copy}`)
    }
    this.#replace(draft.changes)
    this.#say(
      'Done. keepalived still runs with its old configuration. Make sure that the agent is running (systemctl status witness-agent), then run "systemctl reload keepalived", first on the standby and then on the holder.',
    )
    return setupExits.done
  }

  async #undo(): Promise<SetupExit> {
    const draft = draftUndo({ path: this.#path, configId: this.#configId })
    for (const line of draft.edited) this.#say(`! ${line}; setup removes them all the same`)
    if (draft.changes.length === 0) {
      this.#say(`Nothing to do: ${this.#path} and what it includes has no line that setup added.`)
      return setupExits.done
    }
    this.#showDiff(draft)
    try {
      await this.#test(draft)
    } catch (cause) {
      if (!(cause instanceof KeepalivedMissing)) throw cause
      this.#say('! keepalived is not installed, so the result is not tested')
    }
    this.#replace(draft.changes)
    for (const change of draft.changes) this.#say(comparedWithBackups(change))
    this.#say(
      'Done. keepalived still runs with its old configuration. Run "systemctl reload keepalived", first on the standby and then on the holder. After that the agent is no longer needed: systemctl disable --now witness-agent',
    )
    return setupExits.done
  }

  /** @returns what "keepalived -t" newly says, though nothing is wrong */
  async #test({ changes, mainRealPath, includes }: Draft): Promise<string[]> {
    const complaints = await newComplaints(
      { program: this.#program, path: this.#path, configId: this.#givenConfigId },
      { texts: new Map(changes.map(({ realPath, to }) => [realPath, to])), mainRealPath, includes },
    )
    const faults = complaints.filter((line) => !isExpected(line))
    if (faults.length === 0) return complaints
    throw new SetupError(
      `keepalived -t finds a fault in the new configuration that it does not find in the current one, so nothing was changed:\n${faults.map((line) => `  ${line}`).join('\n')}`,
    )
  }

  /**
   * Each file is complete by itself. The state between two of them after a crash works, and a second run completes
   * it.
   */
  #replace(changes: readonly Change[]): void {
    const done: Change[] = []
    try {
      for (const change of changes) {
        replaceText(change.realPath, change)
        done.push(change)
      }
    } catch (cause) {
      for (const { realPath, from, to } of done) replaceText(realPath, { from: to, to: from })
      if (isForAdmin(cause)) throw cause
      throw new SetupError(`keepalived.conf cannot be replaced: ${messageOf(cause)}; nothing was changed`, {
        cause,
      })
    }
  }
}

function comparedWithBackups({ file, realPath, to }: Change): string {
  const folder = dirname(realPath)
  const copies = readdirSync(folder).filter((name) => isBackupOf(name, realPath))
  const same = copies.find((name) => readBytes(join(folder, name)) === to)
  if (same !== undefined)
    return `${file}: as it was before, byte for byte (${join(folder, same)} is no longer needed)`
  return copies.length === 0
    ? `${file}: the lines of setup are removed; there is no earlier copy to compare with`
    : `${file}: the lines of setup are removed; what you have changed since setup added them is kept`
}

function placesOf(keepalived: AgentConfig['keepalived']): KeepalivedPlaces {
  return keepalivedPlaces(keepalived, readProcessKeywords(keepalived.config, keepalived.configId))
}
