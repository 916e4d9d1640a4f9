/**
 * Type-checks a planted mistake. One that does not compile, because a refactoring moved the names it uses, may die of a
 * ReferenceError, and would then count as found though its rule was never broken.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { mutate, type SourceMutation } from './mutate-source.ts'

const root = join(import.meta.dirname, '../..')

/** A mistake may leave an import or a parameter without use; that breaks nothing. */
const lenient: ts.CompilerOptions = {
  noUnusedLocals: false,
  noUnusedParameters: false,
  allowUnreachableCode: true,
}

/** One program for all mistakes: only the file that is changed is checked again. */
export class MutationChecker {
  readonly #service: ts.LanguageService
  #planted: { readonly path: string; readonly source: string } | null = null
  #version = 0

  constructor() {
    const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path))
    const { options, fileNames } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => ({ ...options, ...lenient }),
      getScriptFileNames: () => fileNames,
      getScriptVersion: (path) => (path === this.#planted?.path ? String(this.#version) : '0'),
      getScriptSnapshot: (path) => {
        const source = path === this.#planted?.path ? this.#planted.source : ts.sys.readFile(path)
        return source === undefined ? undefined : ts.ScriptSnapshot.fromString(source)
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
      fileExists: (path) => ts.sys.fileExists(path),
      readFile: (path) => ts.sys.readFile(path),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
    })
  }

  /** @returns what the compiler says of the file with the mistake in it; empty: it compiles */
  problemsOf(mutation: SourceMutation): readonly string[] {
    const path = join(root, mutation.file)
    this.#version += 1
    this.#planted = { path, source: mutate(readFileSync(path, 'utf8'), mutation) }
    const found = [
      ...this.#service.getSyntacticDiagnostics(path),
      ...this.#service.getSemanticDiagnostics(path),
    ]
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  }
}
