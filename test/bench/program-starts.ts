/** Part 4: how big the programs are, and how soon they have started. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { cluster as clusterName } from '../lab/address-plan.ts'
import { type ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { stateFolderOf } from '../lab/daemon-config.ts'
import { labMount, productMount } from '../lab/namespace-host.ts'
import { timeInside, type TimedProgram } from './bench-lab.ts'
import { type Section } from './markdown.ts'
import { rangeText, type Statistics, statisticsOf } from './statistics.ts'

export interface ProgramFigures {
  readonly program: string
  readonly bytes: number
  readonly gzippedBytes: number
  /** Null: it is neither a daemon nor a client; the check has its own table. */
  readonly startMs: Statistics | null
  readonly startedWhen: string
}

const starts = 10

export async function measurePrograms(
  cluster: ClusterUnderTest,
  product: string,
): Promise<readonly ProgramFigures[]> {
  const programs = await daemonsOnClient(cluster)
  const startMs = async (name: keyof typeof programs): Promise<Statistics> => {
    const timed = await timeInside(cluster, 'client', { runs: starts, programs: { [name]: programs[name] } })
    return statisticsOf(timed(name).ms)
  }
  const size = (file: string): Pick<ProgramFigures, 'program' | 'bytes' | 'gzippedBytes'> => {
    const content = readFileSync(join(product, file))
    return { program: file, bytes: content.length, gzippedBytes: gzipSync(content).length }
  }
  return [
    { ...size('witnessd.cjs'), startMs: await startMs('witnessd'), startedWhen: 'it says that it listens' },
    {
      ...size('witness-agent.cjs'),
      startMs: await startMs('agent'),
      startedWhen: 'it says that it has started (keepalived.conf read, run folder written)',
    },
    {
      ...size('witnessctl.cjs'),
      startMs: await startMs('witnessctl'),
      startedWhen: '`witnessctl --version` has ended',
    },
    { ...size('witness-check'), startMs: null, startedWhen: 'see "The check"' },
  ]
}

/** The client's host runs nothing of the product, so a second witness and another agent disturb nobody there. */
async function daemonsOnClient(
  cluster: ClusterUnderTest,
): Promise<Readonly<Record<'witnessd' | 'agent' | 'witnessctl', TimedProgram>>> {
  await cluster.host('client').shell(
    `mkdir -p /tmp/witness /tmp/agent /run/keepalived-witness
     cp ${stateFolderOf('lb01')}/*.pem /tmp/agent/
     cat > /tmp/witness.yaml <<EOF
listen: 127.0.0.1:7400
dataDir: /tmp/witness
EOF
     cat > /tmp/agent.yaml <<EOF
cluster: ${clusterName}
node: lb01
witness: https://127.0.0.1:7400
listen: 127.0.0.1:7401
mode: observe
stateDir: /tmp/agent
keepalived:
  config: ${labMount}/lb01/keepalived.conf
  pidFile: /run/keepalived.pid
  vrrpPidFile: /run/keepalived_vrrp.pid
  stopCommand: ["true"]
  startCommand: ["true"]
EOF`,
  )
  const program = (file: string, args: readonly string[], until: string | null): TimedProgram => ({
    argv: [process.execPath, `${productMount}/${file}`, ...args],
    until,
  })
  return {
    witnessd: program('witnessd.cjs', ['--config', '/tmp/witness.yaml'], '"event":"listening"'),
    agent: program('witness-agent.cjs', ['--config', '/tmp/agent.yaml'], '"event":"start"'),
    witnessctl: program('witnessctl.cjs', ['--version'], null),
  }
}

export function programsSection(figures: readonly ProgramFigures[], setting: string): Section {
  const kibibytes = (bytes: number): string => (bytes / 1024).toFixed(bytes < 102_400 ? 1 : 0)
  return {
    id: 'programs',
    title: 'The programs',
    how: `Bundles as \`npm run build\` makes them; they start without node_modules. Start: ${starts} times each, until what the last column says.`,
    setting,
    table: {
      head: ['program', 'KiB', 'gzipped, KiB', 'start, ms', 'measured until'],
      rows: figures.map(({ program, bytes, gzippedBytes, startMs, startedWhen }) => [
        program,
        kibibytes(bytes),
        kibibytes(gzippedBytes),
        startMs === null ? '' : rangeText(startMs, 0),
        startedWhen,
      ]),
    },
    notes: packageNotes(),
    keyCells: 0,
  }
}

const packages = fileURLToPath(new URL('../../dist/packages', import.meta.url))

/** What `npm run package` made last; nothing if it has not run. */
function packageNotes(): string[] {
  if (!existsSync(packages)) return []
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  const made = readdirSync(packages).filter((file) => /\.(deb|tar\.gz)$/.test(file))
  return made.map(
    (file) => `\`${file}\`, the runtime included: ${mebibytes(statSync(join(packages, file)).size)}.`,
  )
}
