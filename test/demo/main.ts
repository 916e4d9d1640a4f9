/**
 * `npm run demo`: keepalived alone runs into split brain; with the witness it ends. Exit code 0: this is what was
 * measured.
 */
import { Command, Option } from 'commander'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hosts } from '../lab/address-plan.ts'
import { type ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { sweepAbandonedFolders } from '../lab/lab-folder.ts'
import { buildProduct } from '../lab/lab-programs.ts'
import { assertPrerequisites } from '../lab/prerequisites.ts'
import { painter } from '../../server/witnessctl/paint.ts'
import { wrap } from './display-width.ts'
import { type Language, languageOf, languages } from './language.ts'
import { narrate } from './narrator.ts'
import { startPair } from './pair.ts'
import { playCommands } from './play.ts'
import { reportOf, reportWidth } from './report.ts'
import { canUseSudo, goingOn, isRoot, runAgainAsRoot } from './root.ts'
import { textsIn } from './texts.ts'

interface Options {
  readonly keep: boolean
  readonly lang: Language
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const paint = painter({ isTty: process.stdout.isTTY, noColor: process.env.NO_COLOR })

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function sayWrapped(text: string): void {
  say(wrap(text, reportWidth).join('\n'))
}

async function demo(options: Options): Promise<number> {
  const texts = textsIn(options.lang)
  if (process.env[goingOn] === undefined) {
    say(paint(texts.title, 'bold'))
    say('')
    sayWrapped(texts.intro)
    say('')
  }
  const packages = spawnSync(join(root, 'deploy/debian-packages'), { stdio: 'inherit' })
  if (packages.status !== 0) {
    say(texts.failed(texts.packagesFailed))
    return 1
  }
  if (!isRoot()) {
    if (!(await canUseSudo())) {
      sayWrapped(texts.noSudo('npm run demo'))
      return 1
    }
    // Built before sudo, so that root does not leave files in somebody else's folder.
    say(texts.building)
    await buildProduct()
    say(texts.sudo)
    return runAgainAsRoot(fileURLToPath(import.meta.url))
  }
  assertPrerequisites()
  sweepAbandonedFolders()
  return show(options)
}

async function show({ keep, lang }: Options): Promise<number> {
  const texts = textsIn(lang)
  const startedAtMs = Date.now()
  const product = await buildProduct()
  sayWrapped(texts.booting)
  const listener = narrate({ texts, paint, say, startedAtMs })
  const together = meeting(2)
  const alone = startPair({ arbiter: 'none', product, listener, together })
  const witness = startPair({ arbiter: 'witness', product, listener, together })
  const [ofAlone, ofWitness] = await Promise.all([alone.measured, witness.measured])
  alone.release()
  const report = reportOf({ alone: ofAlone, witness: ofWitness }, texts, paint)
  say('')
  say(report.text)
  const code = report.broken.length === 0 ? 0 : 1
  if (keep) {
    say('')
    say(playCommands(standing(ofWitness.cluster), texts))
    await ctrlC(code)
    say('')
  }
  witness.release()
  await Promise.all([alone.ended, witness.ended])
  say(texts.ended)
  return code
}

/** Settles when this was called `count` times. */
function meeting(count: number): () => Promise<void> {
  let come = 0
  let open: () => void = () => undefined
  const all = new Promise<void>((resolve) => (open = resolve))
  return () => {
    come += 1
    if (come === count) open()
    return all
  }
}

function standing(cluster: ClusterUnderTest): Parameters<typeof playCommands>[0] {
  const [lb01, lb02, witness, client] = hosts.map((host) => cluster.host(host).initPid)
  return {
    initPids: { lb01: lb01 ?? 0, lb02: lb02 ?? 0, witness: witness ?? 0, client: client ?? 0 },
    folder: cluster.folderPath,
    nodePath: process.execPath,
    demoPid: process.pid,
    prefix: process.env.SUDO_USER === undefined ? '' : 'sudo ',
  }
}

const ending: { onSignal: ((code: number) => void) | null } = { onSignal: null }

/** The first signal ends the wait; a second one does not wait for the orderly end of the lab. */
async function ctrlC(code: number): Promise<void> {
  // npm passes Ctrl-C on to a program that already got it from the terminal, so a second one this soon is the same one.
  const sameMs = 500
  const alive = setInterval(() => undefined, 60_000)
  await new Promise<void>((resolve) => {
    let firstAtMs: number | null = null
    ending.onSignal = () => {
      if (firstAtMs !== null && Date.now() - firstAtMs > sameMs) process.exit(code)
      firstAtMs ??= Date.now()
      resolve()
    }
  })
  clearInterval(alive)
}

// Exit handlers of the lab power every host off and remove the folders.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => {
    if (ending.onSignal === null) process.exit(code)
    ending.onSignal(code)
  })

const program = new Command('demo')
  .description('Shows split brain with keepalived alone, and how it ends with the witness.')
  .option('--keep', 'leave the pair with the witness up, to play with, until Ctrl-C', false)
  .addOption(
    new Option('--lang <language>', 'language of the story')
      .choices(languages)
      .default(languageOf(process.env)),
  )
  .addHelpText(
    'after',
    '\nExit code: 0 what was promised was measured, 1 it was not or the lab failed, 2 wrong usage.',
  )
  .exitOverride()

try {
  program.parse()
  process.exitCode = await demo(program.opts<Options>())
} catch (error) {
  if (error instanceof Error && 'exitCode' in error) process.exit(error.exitCode === 0 ? 0 : 2)
  const { lang } = program.opts<Options>()
  const reason = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${textsIn(lang).failed(reason)}\n`)
  // One lab may still be up; its exit handler ends it.
  process.exit(1)
}
