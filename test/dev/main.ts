/** `npm run dev`: a witness and a protected pair on this host, to look at and to break. No root, and the host stays as it is. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { painter } from '../../server/witnessctl/paint.ts'
import { renderStatus } from '../../server/witnessctl/status-text.ts'
import { WitnessClientError } from '../../server/witnessctl/witness-client.ts'
import { messageOf } from '../../shared/error-message.ts'
import type { ClusterView } from '../../shared/protocol/view.ts'
import { renderHappening, type Happening } from './happening.ts'
import { startPair, switchKeys, type Pair } from './pair.ts'
import { parsePlay, play, PlayError, reachCalm, type Step } from './play.ts'
import { drawScreen, takeScreen } from './screen.ts'

const exitCodes = { ok: 0, failed: 1, usage: 2 } as const
const drawEveryMs = 300
const ctrlC = '\u0003'
const { stdin, stdout, stderr } = process
const paint = painter({ isTty: stdout.isTTY, noColor: process.env.NO_COLOR })

const happenings: Happening[] = []
const mode = { isPlay: true, hasScreen: false }

function take(happening: Happening): void {
  happenings.push(happening)
  if (!mode.hasScreen) stdout.write(`${renderHappening(happening, paint)}\n`)
}

function say(event: string, text: string): void {
  take({ atMs: Date.now(), from: 'dev', level: 'info', event, text })
}

/** Everything ends in exit handlers: the processes (daemon.ts), the folder, the screen. */
function end(code: number): never {
  process.exit(code)
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keepalived-witness-dev-'))
  // A process that was killed in this moment may still have a file half made.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }))
  return folder
}

async function press(pair: Pair, key: string): Promise<void> {
  if (key === 'q') end(exitCodes.ok)
  const chosen = pair.switches.filter((one) => (key === 'h' ? one.isOff() : one.key === key))
  await Promise.all(
    chosen.map(async (one) => {
      say('key', `${key}: ${one.name} ${one.isOff() ? 'on' : 'off'}`)
      await one.toggle()
    }),
  )
}

async function viewOf(pair: Pair): Promise<ClusterView | null> {
  try {
    return await pair.view()
  } catch (error) {
    if (error instanceof WitnessClientError) return null
    throw error
  }
}

async function playOn(pair: Pair, steps: readonly Step[]): Promise<never> {
  const stage = { happenings, press: (key: string) => press(pair, key), view: () => viewOf(pair) }
  await reachCalm(stage)
  say('calm', 'the pair is protected, so the play begins')
  await play(steps, stage)
  const view = await viewOf(pair)
  if (view !== null) stdout.write(`\n${renderStatus(view, paint)}\n`)
  end(exitCodes.ok)
}

/** Never settles: the key q ends it, or a signal. */
async function showOn(pair: Pair): Promise<never> {
  mode.hasScreen = true
  takeScreen(stdout)
  stdin.setRawMode(true)
  stdin.on('data', (typed: Buffer) => {
    for (const key of typed.toString()) {
      if (key === ctrlC) end(exitCodes.ok)
      press(pair, key).catch((error: unknown) => say('key', messageOf(error)))
    }
  })
  const { switches, witnessctl } = pair
  for (;;) {
    drawScreen(stdout, { view: await viewOf(pair), happenings, switches, witnessctl }, paint)
    await new Promise((resolve) => setTimeout(resolve, drawEveryMs))
  }
}

async function dev({ play: steps }: { play?: Step[] }): Promise<never> {
  mode.isPlay = steps !== undefined
  const folder = makeFolder()
  say('folder', `all files of this pair are in ${folder} until this program ends`)
  const pair = await startPair(folder, {
    happening: take,
    // Somebody at the screen sees it and may start it again.
    crashed: () => {
      if (mode.isPlay) end(exitCodes.failed)
    },
  })
  return steps === undefined ? showOn(pair) : playOn(pair, steps)
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => end(code))
stdout.on('error', () => end(exitCodes.failed))

const program = new Command('dev')
  .description(
    'Runs a witness and a protected pair on this host, without root. Cut links and kill programs by keys.',
  )
  .option(
    '--play <steps>',
    'plays without a terminal: keys, "wait SECONDS", "until EVENT", "until NODE/EVENT", "calm"',
    (text) => parsePlay(text, [...switchKeys, 'h', 'q']),
  )
  .addHelpText('after', '\nExit code: 0 it ended well, 1 it did not, 2 wrong usage.')
  .exitOverride()

try {
  program.parse()
  const options = program.opts<{ play?: Step[] }>()
  if (options.play === undefined && !(stdin.isTTY && stdout.isTTY))
    throw new PlayError(
      'mistake',
      'this is no terminal: give the keys with --play, for example --play "1 wait 5 h"',
    )
  await dev(options)
} catch (error) {
  if (error instanceof CommanderError) end(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage)
  stderr.write(`${messageOf(error)}\n`)
  end(error instanceof PlayError && error.code === 'mistake' ? exitCodes.usage : exitCodes.failed)
}
