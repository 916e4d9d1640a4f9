/** A quiet pair with the witness, for measurements that need no fault. */
import { build } from 'esbuild'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type LabHost } from '../lab/address-plan.ts'
import { everydaySetup } from '../lab/cluster-setup.ts'
import { ClusterUnderTest } from '../lab/cluster-under-test.ts'
import { LabFolder } from '../lab/lab-folder.ts'
import { labMount } from '../lab/namespace-host.ts'
import { startWarm } from '../lab/steady-state.ts'

export async function withQuietPair<T>(
  product: string,
  measure: (cluster: ClusterUnderTest) => Promise<T>,
): Promise<T> {
  const cluster = await ClusterUnderTest.install(
    { arbiter: 'witness', product, ...everydaySetup, stopCommand: 'works' },
    new LabFolder('disk'),
  )
  try {
    await build({
      entryPoints: [fileURLToPath(new URL('programs/timer.ts', import.meta.url))],
      outfile: join(cluster.folderPath, 'programs/timer.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'warning',
    })
    await startWarm(cluster)
    return await measure(cluster)
  } finally {
    await cluster.remove()
  }
}

export interface TimedProgram {
  readonly argv: readonly string[]
  /** Text on its stdout that ends the measured time; null: the time ends when the program does. */
  readonly until: string | null
}

const timedSchema = z.record(
  z.string(),
  z.object({ ms: z.array(z.number()), codes: z.array(z.number().nullable()), said: z.string() }),
)
export type Timed = z.infer<typeof timedSchema>[string]

/** Times programs inside a host, in turns. */
export async function timeInside<Name extends string>(
  cluster: ClusterUnderTest,
  host: LabHost,
  options: { runs: number; programs: Readonly<Record<Name, TimedProgram>> },
): Promise<(name: Name) => Timed> {
  const programs = Object.entries<TimedProgram>(options.programs).map(([name, program]) => ({
    name,
    ...program,
  }))
  const request = JSON.stringify({ runs: options.runs, programs })
  const answer = await cluster.host(host).run(process.execPath, `${labMount}/programs/timer.mjs`, request)
  const timed = timedSchema.parse(JSON.parse(answer))
  return (name) => {
    const found = timed[name]
    if (found === undefined) throw new Error(`${name} was not timed`)
    return found
  }
}
