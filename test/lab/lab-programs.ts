/** The programs that run inside the hosts: the product, built once, and the lab's own page and client. */
import { build } from 'esbuild'
import { cpSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'
import { LabFolder } from './lab-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const distFolder = join(root, 'dist')
/** The programs that the lab cannot do without. */
const products = ['witnessd.cjs', 'witness-agent.cjs', 'witness-check']

/**
 * Builds the product, unless the existing build is newer than every source.
 * @returns a folder with a copy of it, so that a later build does not replace the programs of a running lab.
 */
export async function buildProduct(): Promise<string> {
  const sources = ['server', 'agent', 'shared', 'build.mjs', 'package.json'].map((name) =>
    newestChangeMs(join(root, name)),
  )
  if (oldestProductMs() < Math.max(...sources))
    await command('npm', ['--prefix', root, 'run', '--silent', 'build'], { timeoutMs: 120_000 })
  const copy = new LabFolder('disk')
  cpSync(distFolder, copy.path, { recursive: true })
  return copy.path
}

function oldestProductMs(): number {
  const changes = products.map(
    (name) => statSync(join(distFolder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  )
  return Math.min(...changes)
}

function newestChangeMs(path: string): number {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))))
}

let bundles: Promise<string> | null = null

/** Puts the lab's own programs into `folder`. All labs of a process share one build. */
export async function copyLabPrograms(folder: string): Promise<void> {
  bundles ??= buildLabPrograms()
  cpSync(await bundles, folder, { recursive: true })
}

/** Bundles them: plain JavaScript starts several times faster than tsx. */
async function buildLabPrograms(): Promise<string> {
  const folder = new LabFolder('disk').path
  await build({
    entryPoints: ['web-page', 'web-client', 'attacker', 'bystander', 'slow-disk'].map((name) =>
      fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url)),
    ),
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    logLevel: 'warning',
  })
  return folder
}
