import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { debianChangelog, debianVersion } from '../../../deploy/package/debian-changelog.ts'
import { readPins } from '../../../deploy/package/node-runtime.ts'
import { skipAloud } from '../../skip-aloud.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

describe('debianChangelog', () => {
  const history = {
    package: 'p',
    version: '0.2.0',
    maintainer: 'M <m@example.org>',
    atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  }

  it('has the newest section under the version that is packaged, the older ones under their own', () => {
    const markdown =
      '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One `word`,\n  and more.\n\n### Fixed\n\n- Two.\n\n## [0.1.0-rc.1] - 2025-12-01\n\n- First.\n'
    assert.equal(
      debianChangelog({ ...history, markdown }),
      'p (0.2.0) unstable; urgency=medium\n\n  * Added: One word, and more.\n  * Fixed: Two.\n\n' +
        ' -- M <m@example.org>  Fri, 02 Jan 2026 03:04:05 +0000\n\n' +
        'p (0.1.0~rc.1) unstable; urgency=medium\n\n  * First.\n\n' +
        ' -- M <m@example.org>  Mon, 01 Dec 2025 12:00:00 +0000\n',
    )
  })

  it('keeps its lines short, and refuses a history without a word', () => {
    const markdown = `## [Unreleased]\n\n- ${'word '.repeat(60)}\n`
    const lines = debianChangelog({ ...history, markdown }).split('\n')
    assert.ok(lines.every((line) => line.length <= 80))
    assert.throws(
      () => debianChangelog({ ...history, markdown: '## [Unreleased]\n' }),
      /write what is new under/,
    )
  })

  it('orders a pre-release before its release', () => {
    const older = spawnSync('dpkg', [
      '--compare-versions',
      debianVersion('1.0.0-rc.1'),
      'lt',
      debianVersion('1.0.0'),
    ])
    assert.equal(older.status, 0)
  })
})

describe('npm run package', function () {
  this.timeout(600_000)
  const folder = temporaryFolder()

  it('makes a package that lintian accepts, which enables nothing, stops nothing at an upgrade, and a tarball of the same', function () {
    const tools = spawnSync('deploy/package-tools', ['--check'], { encoding: 'utf8' })
    if (tools.status !== 0) skipAloud(this, `${tools.stderr.trim()}: run deploy/package-tools`)
    execFileSync(
      'npm',
      [
        'run',
        '--silent',
        'package',
        '--',
        '--quick',
        '--accept-older-node',
        '--debian-version',
        '0.1.0~test',
        '--out',
        folder('out'),
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    const made = readdirSync(folder('out')).sort()
    const [tarball = '', package_ = ''] = made
    assert.match(package_, /^keepalived-witness_0\.1\.0~test_\w+\.deb$/)
    assert.match(tarball, /^keepalived-witness-0\.1\.0~test-linux-\w+\.tar\.gz$/)

    execFileSync('dpkg-deb', ['--raw-extract', folder(`out/${package_}`), folder('deb')])
    execFileSync('tar', ['-xzf', folder(`out/${tarball}`), '-C', folder()])
    const listed = (top: string): string[] =>
      readdirSync(top, { recursive: true, encoding: 'utf8' })
        .filter((path) => !path.startsWith('DEBIAN') && path !== 'install.sh')
        .sort()
    assert.deepEqual(listed(folder(tarball.replace('.tar.gz', ''))), listed(folder('deb')))

    const script = (name: string): string => readFileSync(folder(`deb/DEBIAN/${name}`), 'utf8')
    assert.doesNotMatch(script('postinst'), /systemctl enable|deb-systemd-invoke (start|restart)/)
    assert.match(script('postinst'), /deb-systemd-invoke try-restart 'witness-agent\.service'/)
    assert.ok(
      !readdirSync(folder('deb/DEBIAN')).includes('preinst'),
      'a stop before the upgrade would be there',
    )
    assert.match(script('prerm'), /used-by-keepalived/)
    assert.match(script('prerm'), /needed-by-agents/)
    assert.equal(script('conffiles'), '/etc/keepalived-witness/witness.yaml\n')

    const lib = 'deb/usr/lib/keepalived-witness'
    const version = (program: string): string =>
      execFileSync(folder(`${lib}/node`), [folder(`${lib}/${program}.cjs`), '--version'], {
        encoding: 'utf8',
      })
    const { version: own } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const npmPackage = `node-linux-${process.arch}`
    const pinned = Object.entries(readPins('.')).find(([name]) => name === npmPackage)?.[1]
    assert.ok(pinned !== undefined, npmPackage)
    const node = folder(`${lib}/node`)
    assert.equal(execFileSync(node, ['--version'], { encoding: 'utf8' }), `v${pinned}\n`)
    for (const program of ['witnessd', 'witness-agent', 'witnessctl'])
      assert.equal(version(program), `${own} (Node.js ${pinned})\n`)
    const { size: installed } = statSync(`deploy/runtime/node_modules/${npmPackage}/bin/node`)
    assert.ok(statSync(node).size < installed, 'the runtime is stripped')
    const description = execFileSync('dpkg-deb', ['--field', folder(`out/${package_}`), 'Description'], {
      encoding: 'utf8',
    })
    assert.ok(description.includes(`Node.js ${pinned}`), description)
    const documents = folder('deb/usr/share/doc/keepalived-witness')
    const copyright = readFileSync(`${documents}/copyright`, 'utf8')
    for (const name of ['express', 'ws', 'zod', `Node.js ${pinned}`])
      assert.ok(copyright.includes(name), name)
    assert.ok(
      readdirSync(documents).some((name) => name.startsWith('nodejs-licences.txt')),
      'the licence of Node.js',
    )
  })
})
