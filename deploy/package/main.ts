/** `npm run package`: a Debian package and a tarball of the same content, in dist/packages. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { ChangelogError, debianChangelog, debianVersion } from './debian-changelog.ts'
import { copyrightText, LicenceError } from './licences.ts'
import {
  assertNotOlder,
  assertPackageable,
  installedRuntime,
  installRuntime,
  type NodeRuntime,
  NodeRuntimeError,
  readPins,
} from './node-runtime.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const name = 'keepalived-witness'
const lib = `usr/lib/${name}`
const programs = ['witnessd', 'witness-agent', 'witnessctl'] as const
const manualPages = join(root, 'deploy/man')

interface Options {
  readonly debianVersion?: string
  readonly out: string
  readonly lint: boolean
  readonly quick: boolean
  readonly acceptOlderNode: boolean
}

function makePackages(options: Options): void {
  const { debianVersion: givenVersion, out, lint, quick } = options
  run(join(root, 'deploy/package-tools'), [])
  const architecture = assertPackageable(tell('dpkg-architecture', ['-qDEB_HOST_ARCH']), process.arch)
  const pins = readPins(root)
  if (!options.acceptOlderNode) assertNotOlder(architecture, pins)
  installRuntime(architecture, pins, root)
  const node = installedRuntime(architecture, pins, root)
  run('npm', ['run', '--silent', 'build'])
  const version = givenVersion ?? debianVersion(ownManifest().version)
  const atMs = sourceDateMs()

  const folder = mkdtempSync(join(tmpdir(), 'package-'))
  try {
    const source = join(folder, `${name}-${version}`)
    stageContent(join(source, 'root'), node)
    stageDocuments(join(source, 'doc'), node)
    stageDebian(join(source, 'debian'), { version, atMs, node })
    run('dpkg-buildpackage', ['--build=binary', '--no-sign', '--no-pre-clean'], {
      cwd: source,
      env: {
        ...process.env,
        SOURCE_DATE_EPOCH: String(atMs / 1000),
        DEB_BUILD_OPTIONS: 'nocheck',
        COMPRESSION: quick ? '-Zgzip -z1' : '',
        NODE_VERSION: node.version,
      },
    })
    const package_ = join(folder, `${name}_${version}_${architecture}.deb`)
    if (lint)
      run('lintian', [
        '--fail-on=error,warning',
        '--tag-display-limit=0',
        '--suppress-tags=bad-distribution-in-changes-file',
        package_,
      ])
    const tarball = makeTarball({
      content: join(source, 'debian', name),
      folder,
      version,
      architecture,
      atMs,
      quick,
    })
    mkdirSync(out, { recursive: true })
    for (const made of [package_, tarball]) {
      const target = join(out, basename(made))
      cpSync(made, `${target}.new`)
      renameSync(`${target}.new`, target)
      process.stdout.write(
        `${target} ${(statSync(target).size / 1024 / 1024).toFixed(1)} MiB, with Node.js ${node.version}\n`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What is installed on the host, each file in its place. debhelper installs units, sysusers.d and tmpfiles.d. */
function stageContent(content: string, node: NodeRuntime): void {
  const put = (mode: number, from: string, to: string): void => {
    const target = join(content, to)
    mkdirSync(dirname(target), { recursive: true })
    cpSync(from, target)
    chmodSync(target, mode)
  }
  put(0o755, node.program, `${lib}/node`)
  for (const program of programs) {
    putBundle(join(root, `dist/${program}.cjs`), join(content, lib, `${program}.cjs`))
    const starter = join(content, 'usr/bin', program)
    mkdirSync(dirname(starter), { recursive: true })
    writeFileSync(starter, `#!/bin/sh\nexec /${lib}/node /${lib}/${program}.cjs "$@"\n`)
    chmodSync(starter, 0o755)
  }
  for (const asked of ['used-by-keepalived', 'needed-by-agents'])
    put(0o755, join(root, 'deploy', asked), `${lib}/${asked}`)
  // Where SELinux lets keepalived run it, and where every folder belongs to root.
  put(0o755, join(root, 'dist/witness-check'), 'usr/libexec/keepalived/witness-check')
  put(0o644, join(root, 'deploy/config/witness.yaml'), `etc/${name}/witness.yaml`)
  put(
    0o644,
    join(root, 'deploy/completion/keepalived-witness.bash'),
    'usr/share/bash-completion/completions/witnessctl',
  )
}

/** Without its first line, because it is started by the runtime beside it, never by a Node.js of the host. */
function putBundle(from: string, to: string): void {
  writeFileSync(to, readFileSync(from, 'utf8').replace(/^#!.*/, ''))
}

function stageDocuments(documents: string, node: NodeRuntime): void {
  mkdirSync(documents, { recursive: true })
  cpSync(join(root, 'deploy/examples'), documents, { recursive: true })
  cpSync(join(root, 'docs'), documents, { recursive: true })
  for (const page of ['README.md', 'SECURITY.md'])
    if (existsSync(join(root, page))) cpSync(join(root, page), join(documents, page))
  cpSync(node.licence, join(documents, 'nodejs-licences.txt'))
}

function stageDebian(
  debian: string,
  { version, atMs, node }: { version: string; atMs: number; node: NodeRuntime },
): void {
  cpSync(join(root, 'deploy/debian'), debian, { recursive: true })
  const [, maintainer = ''] = /^Maintainer: (.+)$/m.exec(readFileSync(join(debian, 'control'), 'utf8')) ?? []
  const markdown = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  writeFileSync(
    join(debian, 'changelog'),
    debianChangelog({ markdown, package: name, version, maintainer, atMs }),
  )
  const names = z.array(z.string()).parse(JSON.parse(readFileSync(join(root, 'dist/bundled.json'), 'utf8')))
  const licence = readFileSync(join(root, 'LICENSE'), 'utf8')
  writeFileSync(
    join(debian, 'copyright'),
    copyrightText({ licence, modules: join(root, 'node_modules'), names, nodeVersion: node.version }),
  )
  const pages = readdirSync(manualPages).filter((page) => /\.[158]$/.test(page))
  for (const page of pages) cpSync(join(manualPages, page), join(debian, 'man', page))
  writeFileSync(join(debian, `${name}.manpages`), pages.map((page) => `debian/man/${page}\n`).join(''))
}

/** The tree that became the Debian package, with install.sh on top. */
function makeTarball(made: {
  readonly content: string
  readonly folder: string
  readonly version: string
  readonly architecture: string
  readonly atMs: number
  readonly quick: boolean
}): string {
  const top = `${name}-${made.version}-linux-${made.architecture}`
  const tree = join(made.folder, top)
  cpSync(made.content, tree, { recursive: true, verbatimSymlinks: true })
  rmSync(join(tree, 'DEBIAN'), { recursive: true })
  cpSync(join(root, 'deploy/install.sh'), join(tree, 'install.sh'))
  const tarball = join(made.folder, `${top}.tar.gz`)
  run('tar', [
    '--create',
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    `--mtime=@${made.atMs / 1000}`,
    `--use-compress-program=gzip -n -${made.quick ? 1 : 9}`,
    `--file=${tarball}`,
    `--directory=${made.folder}`,
    top,
  ])
  return tarball
}

/** The time of the last change, so that the same sources give the same package. */
function sourceDateMs(): number {
  const given = process.env.SOURCE_DATE_EPOCH
  return Number(given ?? tell('git', ['-C', root, 'log', '-1', '--format=%ct'])) * 1000
}

function ownManifest(): { readonly version: string } {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
}

function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): void {
  execFileSync(program, args, { cwd: root, ...options, stdio: ['ignore', 2, 2] })
}

function tell(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).trim()
}

const command = new Command('package')
  .description(
    'Makes the Debian package and the tarball for other distributions, for the architecture of this machine, with the ' +
      'Node.js that deploy/runtime/package.json pins.',
  )
  .option('--debian-version <version>', 'a version other than that of package.json, to test upgrades')
  .option('--out <folder>', 'the folder for the packages', join(root, 'dist/packages'))
  .option('--no-lint', 'without lintian')
  .option('--quick', 'compress weakly, for tests: larger files, made faster', false)
  .option(
    '--accept-older-node',
    'for tests: package even if the Node.js pinned for another architecture is newer',
    false,
  )
  .allowExcessArguments(false)
  .exitOverride()
try {
  command.parse()
  makePackages(command.opts<Options>())
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
  const isExpected = [ChangelogError, LicenceError, NodeRuntimeError].some((kind) => error instanceof kind)
  process.stderr.write(
    `${error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  )
  process.exit(1)
}
