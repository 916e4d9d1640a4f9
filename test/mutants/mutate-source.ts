/**
 * Builds a program with one mistake in one source file: proof that a test would notice that mistake. The sources on disk
 * stay as they are.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** `from` stands exactly once in `file` and becomes `to`. */
export interface Mutation {
  /** From the project's root, as in `shared/vote.ts`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/** The source has changed so that the mistake cannot be put into it as it is written down. */
export class MutationError extends Error {
  readonly code = 'mutation'
}

/** @throws MutationError where `from` does not stand in the source exactly once */
export function mutate(source: string, { file, from, to }: Mutation): string {
  const found = source.split(from).length - 1
  if (found !== 1)
    throw new MutationError(
      `mutation no longer matches: ${JSON.stringify(from)} stands ${found} times in ${file}, and must stand there once`,
    )
  return source.replace(from, () => to)
}

/**
 * Bundles `entry` for Node.js into one module.
 * @param program `entry` from the project's root; `mutation` null: as it is
 * @throws MutationError also where the file is no part of the program, because then nothing was tried
 */
export async function bundleWithMutation(program: {
  readonly entry: string
  readonly mutation: Mutation | null
  readonly outfile: string
}): Promise<void> {
  const { entry, mutation, outfile } = program
  const mutated = { times: 0 }
  const plugin = (of: Mutation): Plugin => ({
    name: 'mutation',
    setup(building) {
      const path = resolve(root, of.file)
      building.onLoad({ filter: /\.ts$/ }, async (args) => {
        if (args.path !== path) return undefined
        mutated.times += 1
        return { contents: mutate(await readFile(path, 'utf8'), of), loader: 'ts' }
      })
    },
  })
  try {
    await build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20.19',
      format: 'esm',
      // Packages of CommonJS ask for `require`, which a module does not have.
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
      plugins: mutation === null ? [] : [plugin(mutation)],
      logLevel: 'silent',
    })
  } catch (cause) {
    throw mutationErrorOf(cause) ?? cause
  }
  if (mutation !== null && mutated.times === 0)
    throw new MutationError(`mutation no longer matches: ${entry} does not use ${mutation.file}`)
}

/** esbuild hands on what a plugin threw as the detail of its message. */
function mutationErrorOf(cause: unknown): MutationError | null {
  if (typeof cause !== 'object' || cause === null || !('errors' in cause) || !Array.isArray(cause.errors))
    return null
  for (const error of cause.errors as readonly { detail?: unknown }[])
    if (error.detail instanceof MutationError) return error.detail
  return null
}
