/**
 * `witness-agent join`: from an invite to a running agent. The private key is made on this host and never leaves it.
 */
import { accessSync, constants, existsSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join as inFolder } from 'node:path'
import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { ConfigError } from '../../../shared/host/config-file.ts'
import { writeCredentials } from '../../../shared/identity/credentials.ts'
import { messageOf } from '../../../shared/error-message.ts'
import { InviteLineError, type Invite } from '../../../shared/identity/invite-line.ts'
import { makeKeyRequest } from '../../../shared/identity/key-request.ts'
import { placeFile } from '../../../shared/disk/placed-file.ts'
import { askWitness, endpointOf, WitnessRequestError } from '../../../shared/network/witness-request.ts'
import { runCommand } from '../../../shared/host/command.ts'
import { IssueError, readIssued } from '../../voters/issued-certificate.ts'
import { assertNever } from '../../../shared/assert-never.ts'
import { readProcessKeywords } from '../../keepalived-conf/process-keywords.ts'
import { usualAgentYaml } from '../../config.ts'
import { keepalivedPlaces } from '../../keepalived/places.ts'
import { describeUnknown, lookAtKeepalived } from '../../keepalived/process.ts'
import { writeCheckSettings } from '../../check/settings.ts'
import { draftAgentYaml, type AgentYaml } from './agent-yaml.ts'
import { findAuthority } from './find-authority.ts'
import { JoinError } from './error.ts'
import { readInvite } from './read-invite.ts'

export const joinExits = { ok: 0, notStarted: 1, refused: 2 } as const
export type JoinExit = (typeof joinExits)[keyof typeof joinExits]

export interface JoinOptions {
  readonly config: string
  /** Null: as agent.yaml says. */
  readonly stateDir: string | null
  /** ADDRESS:PORT; null: as agent.yaml says. */
  readonly listen: string | null
  /** Whether the unit is enabled and started. */
  readonly start: boolean
}

export interface JoinSurroundings {
  readonly input: Readable
  /** Whether a person is asked for the line. */
  readonly isTty: boolean
  readonly say: (line: string) => void
  /** Null: no systemd runs here. */
  readonly systemctl: readonly string[] | null
}

const unit = 'witness-agent'
const answerTimeoutMs = 10_000
const unitTimeoutMs = 60_000

export function addJoinCommand(program: Command): void {
  program
    .command('join')
    .description(
      'Enrols this node with the line that "witnessctl invite" printed: key, certificate, agent.yaml, unit.',
    )
    .argument('[line...]', 'not accepted: the line is read from the terminal or from a pipe')
    .option('--state-dir <folder>', 'folder for key and certificate, instead of stateDir in agent.yaml')
    .option(
      '--listen <address:port>',
      "where the other node's agent connects, instead of listen in agent.yaml",
    )
    .option('--no-start', 'do not enable or start the unit')
    .option('--config <file>', 'configuration of the agent', usualAgentYaml)
    .addHelpText(
      'after',
      '\nExit codes: 0 enrolled; 1 enrolled, but the agent is not running; 2 refused, or a mistake.',
    )
    .action(async (words: readonly string[], _options: unknown, command: Command) => {
      const parsed = command.optsWithGlobals<{
        config?: string
        stateDir?: string
        listen?: string
        start: boolean
      }>()
      process.exitCode = await runJoin(
        words,
        {
          config: parsed.config ?? usualAgentYaml,
          stateDir: parsed.stateDir ?? null,
          listen: parsed.listen ?? null,
          start: parsed.start,
        },
        {
          input: process.stdin,
          isTty: process.stdin.isTTY,
          say: (line) => process.stderr.write(`${line}\n`),
          systemctl: existsSync('/run/systemd/system') ? ['systemctl'] : null,
        },
      )
      // A terminal that is still being read would keep the process alive.
      process.stdin.destroy()
    })
}

export async function runJoin(
  words: readonly string[],
  options: JoinOptions,
  surroundings: JoinSurroundings,
): Promise<JoinExit> {
  try {
    if (words.length > 0) throw new JoinError(onCommandLine)
    return await join(options, surroundings)
  } catch (cause) {
    if (!isForAdmin(cause)) throw cause
    surroundings.say(`witness-agent join: ${cause.message}`)
    return joinExits.refused
  }
}

const onCommandLine =
  'an invite is not accepted on the command line, where every user of this host can read it and the shell stores it. ' +
  'Create another one on the witness host (which invalidates this one), run "witness-agent join" without arguments, and paste the line when asked'

async function join(
  options: JoinOptions,
  { input, isTty, say, systemctl }: JoinSurroundings,
): Promise<JoinExit> {
  if (isTty) say('Paste the line that "witnessctl invite" printed, and press Enter:')
  const invite = await readInvite(input)
  const { cluster, node, address } = invite
  const draft = draftAgentYaml(options.config, {
    cluster,
    node,
    witness: `https://${address}`,
    listen: options.listen,
    stateDir: options.stateDir,
  })
  const { stateDir } = draft.config
  // If agent.yaml is a symbolic link, the link stays and its target is written.
  const configFile = draft.wasThere ? realpathSync(options.config) : options.config
  // Check this first, because a failure after the enrolment would have used up the invite.
  assertWritable(stateDir, 0o755)
  assertWritable(dirname(configFile), 0o755)

  const { key, certificate, authority, peerConnected } = await enrol(invite, draft)
  try {
    // Before the certificate: a check that finds a certificate and no settings would refuse a VIP that works.
    if (!existsSync(inFolder(stateDir, 'check.conf')))
      await writeCheckSettings(stateDir, { ...draft.config, armed: [] })
    writeCredentials(stateDir, { key, certificate, authority })
    placeFile(configFile, draft.text, draft.wasThere ? statSync(configFile).mode & 0o777 : 0o644)
  } catch (cause) {
    throw new JoinError(
      `the certificate was issued but cannot be stored (${messageOf(cause)}); check the disk, then join with another invite`,
      { cause },
    )
  }
  say(`${cluster}/${node} is enrolled at the witness ${address}.`)
  say(
    `Key and certificate are in ${stateDir}; ${options.config} was ${draft.wasThere ? 'updated' : 'created'}.`,
  )
  if (!peerConnected)
    say(
      `No other node of ${cluster} is connected to the witness yet. Until that is so, the agent of this node only watches and votes: keepalived goes on as without it.`,
    )
  const missing = whatKeepalivedLacks(draft.config)
  if (missing !== null) say(missing)
  return startUnit(options, { say, systemctl })
}

/** Said before the agent starts, because an agent that does not find keepalived cannot stop it. Null: it is found. */
function whatKeepalivedLacks({ keepalived }: AgentYaml['config']): string | null {
  const { config, configId } = keepalived
  const look = lookAtKeepalived(keepalivedPlaces(keepalived, readProcessKeywords(config, configId)))
  switch (look.state) {
    case 'running':
    case 'frozen':
      return null
    case 'absent':
      return 'keepalived is not running on this host, so this node cannot take the VIP before you start it.'
    case 'unknown':
      return `${describeUnknown(look)}.`
    default:
      return assertNever(look.state)
  }
}

async function enrol(
  { address, fingerprint, secret, cluster, node }: Invite,
  { config }: AgentYaml,
): Promise<{ key: string; certificate: string; authority: string; peerConnected: boolean }> {
  const { host, port } = endpointOf(`https://${address}`)
  const authority = await findAuthority({ host, port, fingerprint, timeoutMs: answerTimeoutMs })
  const { key, request } = await makeKeyRequest()
  const answer = await askWitness({
    host,
    port,
    method: 'POST',
    path: '/api/v1/join',
    body: { cluster, node, secret, csr: request, port: config.listen.port, address: config.advertise },
    authority,
    own: null,
    timeoutMs: answerTimeoutMs,
  }).catch((cause: unknown) => {
    if (!(cause instanceof WitnessRequestError)) throw cause
    throw new JoinError(whyNoAnswer(address, cause), { cause })
  })
  const { certificate, peerConnected } = readIssued(answer, { cluster, node, key, authority })
  return { key, certificate, authority, peerConnected }
}

function whyNoAnswer(address: string, { code, message }: WitnessRequestError): string {
  switch (code) {
    case 'not-the-witness':
      return `${address} has a certificate from the right authority but is not the witness (${message}); something is intercepting the connection. The secret was not sent`
    case 'unreachable':
      return `the witness at ${address} did not answer (${message}); try again with the same invite; if it is then reported as used, create a new one`
  }
}

async function startUnit(
  { start }: JoinOptions,
  { say, systemctl }: Pick<JoinSurroundings, 'say' | 'systemctl'>,
): Promise<JoinExit> {
  if (!start || systemctl === null) {
    say(
      start
        ? `systemd is not running on this host; start witness-agent by your own means.`
        : `The agent was not started; "systemctl enable --now ${unit}" starts it.`,
    )
    return joinExits.ok
  }
  // An agent that is already running must load its new certificate.
  for (const words of [
    ['enable', unit],
    ['restart', unit],
  ]) {
    const { error } = await runCommand([...systemctl, ...words], { timeoutMs: unitTimeoutMs })
    if (error === null) continue
    say(
      `This node is enrolled, but its agent is not running: ${error}. "journalctl -u ${unit}" shows why; when that is solved, run "systemctl enable --now ${unit}".`,
    )
    return joinExits.notStarted
  }
  say(`The agent is running and starts at boot ("systemctl status ${unit}").`)
  return joinExits.ok
}

function assertWritable(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { recursive: true, mode })
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new JoinError(
      `${folder} cannot be written (${messageOf(cause)}); run this as root, and check the disk. The invite is still valid`,
      { cause },
    )
  }
}

function isForAdmin(cause: unknown): cause is Error {
  return [JoinError, InviteLineError, ConfigError, IssueError].some((kind) => cause instanceof kind)
}
