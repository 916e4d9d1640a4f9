/** The Node.js that the package contains: the one that builds it, if it can run on other machines by itself. */
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'

export class NodeRuntimeError extends Error {
  readonly code = 'node-runtime'
}

/** What every Linux with glibc has; any other library would have to be installed there in the same version. */
const usualLibraries =
  /^(linux-vdso|ld-linux[\w-]*|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libatomic)\.so\./

/**
 * @param program process.execPath
 * @throws NodeRuntimeError if it is a wrapper, too old, or dependent on libraries that the target may not have
 */
export function assertCarriable(program: string, version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    throw new NodeRuntimeError(
      `${program} is Node.js ${version}; the programs need 20.19 or newer, so build with that`,
    )
  if (!isElf(program))
    throw new NodeRuntimeError(
      `${program} is not an ELF program but a wrapper; run the build with the node that it starts`,
    )
  const unusual = librariesOf(program).filter((name) => !usualLibraries.test(name))
  if (unusual.length > 0)
    throw new NodeRuntimeError(
      `${program} needs ${unusual.join(', ')}, which the target may have in another version or not at all; ` +
        'build with the official binary of Node.js, which brings its libraries',
    )
}

/** Where the licences of Node.js and of what it contains are, beside the program or where Debian packages put them. */
export function nodeLicence(program: string): string {
  const places = [join(dirname(program), '../LICENSE'), join(dirname(program), '../share/doc/nodejs/LICENSE')]
  const found = places.find((place) => existsSync(place))
  if (found === undefined)
    throw new NodeRuntimeError(
      `there is no licence of Node.js at ${places.join(' or ')}; it must be shipped with the program, so put it there`,
    )
  return found
}

function isElf(program: string): boolean {
  const head = Buffer.alloc(4)
  const file = openSync(program, 'r')
  try {
    readSync(file, head, 0, 4, 0)
  } finally {
    closeSync(file)
  }
  return head.equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46]))
}

function librariesOf(program: string): string[] {
  const listed = execFileSync('readelf', ['-d', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return [...listed.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name = '']) => name)
}
