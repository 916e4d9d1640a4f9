/** The programs that run inside the hosts: the product, built once, and the lab's own page and client. */
import { build } from 'esbuild'
import { copyFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const productFolder = join(root, 'dist')
const products = ['witnessd.cjs', 'witness-agent.cjs', 'witnessctl.cjs', 'witness-check']

/** Builds the product unless what is there is newer than every source. */
export async function buildProduct(): Promise<void> {
  const sources = ['server', 'agent', 'shared', 'build.mjs', 'package.json'].map((name) =>
    newestChangeMs(join(root, name)),
  )
  if (oldestProductMs() < Math.max(...sources))
    await command('npm', ['--prefix', root, 'run', '--silent', 'build'], { timeoutMs: 120_000 })
}

function oldestProductMs(): number {
  const changes = products.map(
    (name) => statSync(join(productFolder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  )
  return Math.min(...changes)
}

function newestChangeMs(path: string): number {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))))
}

/** A copy, so that a new build does not pull the programs from under a running lab. */
export function copyProduct(folder: string): void {
  for (const name of products) copyFileSync(join(productFolder, name), join(folder, name))
}

/** Bundles the lab's own programs into `folder`: plain JavaScript starts several times faster than tsx. */
export async function buildLabPrograms(folder: string): Promise<void> {
  await build({
    entryPoints: ['web-page', 'web-client'].map((name) =>
      fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url)),
    ),
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    logLevel: 'warning',
  })
}
