/** Bundles a program with one mistake planted in its sources, so that whoever judges can show that it is found. */
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'

const root = join(import.meta.dirname, '../..')

/** One text of one file, replaced by another. */
export interface SourceMutation {
  /** From the project's root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly from: string
  readonly to: string
}

/** The source has changed under the mutation: it no longer says what was to be broken, or says it twice. */
export class MutationError extends Error {
  readonly code = 'mutation'
}

/** @throws MutationError where `from` does not occur exactly once */
export function mutate(source: string, { file, from, to }: SourceMutation): string {
  const pieces = source.split(from)
  const [before, after] = pieces
  if (before === undefined || after === undefined || pieces.length !== 2)
    throw new MutationError(
      `mutation no longer matches: ${file} has ${pieces.length - 1} times, instead of once: ${from}`,
    )
  return before + to + after
}

/** @throws MutationError where the mutation does not match its file */
export async function readMutated(mutation: SourceMutation): Promise<string> {
  return mutate(await readFile(join(root, mutation.file), 'utf8'), mutation)
}

/**
 * Whoever judges keeps the intact source: a bound that grows with the mistake would never be broken. These are the
 * files of folders named `invariants`, and files of that name.
 */
const judges = /[/\\]invariants(?:[/\\]|\.ts$)/

function planting(mutation: SourceMutation): Plugin {
  const path = join(root, mutation.file)
  return {
    name: 'mutation',
    setup(bundling) {
      bundling.onResolve({ filter: /^\.\.?\// }, ({ path: wanted, importer }) => {
        const isJudges = judges.test(importer) && resolve(dirname(importer), wanted) === path
        return isJudges ? { path, suffix: '?intact' } : null
      })
      bundling.onLoad({ filter: /\.ts$/ }, async (loading) =>
        loading.path === path && loading.suffix === ''
          ? { contents: await readMutated(mutation), loader: 'ts' }
          : null,
      )
    },
  }
}

/**
 * Writes one ES module that Node.js runs without node_modules.
 * @param options.entry from the project's root
 * @param options.mutation null: the intact program
 * @throws MutationError where the mutation does not match its file, or the program does not contain the file
 */
export async function bundleWithMutation(options: {
  readonly entry: string
  readonly mutation: SourceMutation | null
  readonly outfile: string
}): Promise<void> {
  const { entry, mutation, outfile } = options
  if (mutation !== null) await readMutated(mutation)
  const { metafile } = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    metafile: true,
    logLevel: 'silent',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    plugins: mutation === null ? [] : [planting(mutation)],
  })
  if (mutation !== null && metafile.inputs[mutation.file] === undefined)
    throw new MutationError(`mutation without effect: ${entry} does not contain ${mutation.file}`)
}
