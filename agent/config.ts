/** agent.yaml: what the admin of a node says. docs/operating/options.md lists the options. */
import { z } from 'zod'
import { logLevels } from '../shared/host/log.ts'
import { agentAddress, agentPort, clusterName, nodeName, witnessPort } from '../shared/protocol/names.ts'
import { usualConfig, usualDumpFile, usualPidFile, usualStatsFile } from './keepalived/usual-paths.ts'

/** Where `join` writes it and the unit reads it. */
export const usualAgentYaml = '/etc/keepalived-witness/agent.yaml'
/** Where the package puts the check. */
export const usualCheckProgram = '/usr/libexec/keepalived/witness-check'

const path = z.string().regex(/^\/[^\0\n]*$/, 'an absolute path is expected')
/** Run without a shell: program first, one entry for each argument. */
const command = z
  .array(
    z.string().min(1),
    'a list is expected: the program, then each argument, like [systemctl, stop, keepalived]',
  )
  .min(1)

const endpoint = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[^[\]:\s]+):\d{1,5}$/,
    `ADDRESS:PORT is expected, like 0.0.0.0:${agentPort} or [::]:${agentPort}`,
  )
  .transform((text) => {
    const colon = text.lastIndexOf(':')
    return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
  .refine(({ port }) => port <= 65_535, 'a port is at most 65535')

const witnessUrl = z
  .string()
  .refine(isWitnessUrl, `https://HOST:PORT of the witness is expected, like https://10.0.0.20:${witnessPort}`)
  .transform((text) => text.replace(/\/+$/, ''))

function isWitnessUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, pathname, search, username } = new URL(text)
  // The check passes the port to curl as it is written here, so a default port is not assumed.
  const namesPort = /:\d+\/*$/.test(text)
  return namesPort && protocol === 'https:' && pathname === '/' && search === '' && username === ''
}

const keepalivedSchema = z.strictObject({
  config: path.default(usualConfig),
  /** keepalived's `-i`; null: the host's name up to its first dot, as keepalived takes it. */
  configId: z.string().min(1).max(255).nullable().default(null),
  /** The default gives way to the keywords of keepalived.conf that move the pid files. */
  pidFile: path.default(usualPidFile),
  /** Null: the usual names beside pidFile, then a search through the process table. */
  vrrpPidFile: path.nullable().default(null),
  program: z.string().min(1).default('keepalived'),
  dumpFile: path.default(usualDumpFile),
  statsFile: path.default(usualStatsFile),
  stopCommand: command.default(['systemctl', 'stop', 'keepalived']),
  startCommand: command.default(['systemctl', 'start', 'keepalived']),
  lastResortCommand: command.nullable().default(null),
})

export const agentConfigSchema = z.strictObject({
  cluster: clusterName,
  node: nodeName,
  witness: witnessUrl,
  listen: endpoint.default({ address: '0.0.0.0', port: agentPort }),
  /** Where the peer reaches this node's agent. Null: the address from which it joined, or what it advertised last. */
  advertise: agentAddress.nullable().default(null),
  mode: z.enum(['enforce', 'observe']).default('enforce'),
  fence: z.enum(['stop', 'fault']).default('stop'),
  alone: z.enum(['stop', 'keep']).default('stop'),
  rejoin: z.enum(['auto', 'manual']).default('auto'),
  gateway: z.string().min(1).max(253).nullable().default(null),
  stateDir: path.default('/var/lib/keepalived-witness-agent'),
  runDir: path.default('/run/keepalived-witness'),
  logLevel: z.enum(logLevels).default('info'),
  keepalived: keepalivedSchema.prefault({}),
})
export type AgentConfig = z.infer<typeof agentConfigSchema>
