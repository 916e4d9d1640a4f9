/** debian/copyright: the product's own licence, and those of the code that its programs contain. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

export class LicenceError extends Error {
  readonly code = 'licence'
}

interface Bundled {
  readonly name: string
  readonly version: string
  readonly licence: string
  readonly text: string
}

const manifestSchema = z.object({ version: z.string(), license: z.string() })

/**
 * In the machine-readable form of Debian (DEP-5).
 * @param names of the packages whose code is in the bundles
 * @throws LicenceError if one does not state its licence
 */
export function copyrightText(own: {
  readonly licence: string
  readonly modules: string
  readonly names: readonly string[]
  readonly nodeVersion: string
}): string {
  const [, ownCopyright = ''] = /^Copyright (.+)$/m.exec(own.licence) ?? []
  const bundled = own.names.map((name) => readBundled(own.modules, name))
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    'Upstream-Name: keepalived-witness',
    'Comment:',
    ' The programs in /usr/lib/keepalived-witness are bundles: each contains the libraries named below. The file node is',
    ` the runtime, Node.js ${own.nodeVersion}; its licence and those of what it contains are in nodejs-licences.txt`,
    ' beside this file.',
    '',
    'Files: *',
    `Copyright: ${ownCopyright}`,
    'License: Expat',
    indented(own.licence.replace(/^MIT License\n+/, '').replace(/^Copyright .+\n+/m, '')),
    '',
    'Files: usr/lib/keepalived-witness/node',
    'Copyright: Node.js contributors, and the authors named in nodejs-licences.txt',
    'License: Node.js',
    ' See nodejs-licences.txt beside this file.',
    '',
    ...bundled.flatMap(({ name, version, licence, text }) => [
      `Files: usr/lib/keepalived-witness/*.cjs:${name}`,
      `Copyright: ${copyrightsIn(text) ?? `the authors of ${name}`}`,
      `License: ${licence}-${name.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^-/, '')}`,
      ` ${name} ${version}:`,
      indented(text),
      '',
    ]),
  ].join('\n')
}

function readBundled(modules: string, name: string): Bundled {
  const folder = join(modules, name)
  const manifest = manifestSchema.safeParse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
  const file = existsSync(folder)
    ? readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
    : undefined
  if (!manifest.success || file === undefined)
    throw new LicenceError(
      `${folder}: no licence in package.json, or no file with its text, so it must not be shipped`,
    )
  const { version, license } = manifest.data
  return { name, version, licence: license, text: readFileSync(join(folder, file), 'utf8').trim() }
}

function copyrightsIn(text: string): string | null {
  const lines = [...text.matchAll(/^\W*(?:copyright\s+(?:\(c\)\s*|©\s*)?)(.*\d{4}.*|.*<.*)$/gim)].map(
    ([, line = '']) => line.trim(),
  )
  return lines.length === 0 ? null : lines.join('\n ')
}

/** A blank line is written as a dot (deb822(5)). */
function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')
}
