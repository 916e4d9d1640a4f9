import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { skipAloud } from '../../skip-aloud.ts'

/** Everything but docs/, which goes along as a whole. */
const content = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'README.zh-CN.md',
  'SECURITY.md',
  'deploy/completion/keepalived-witness.bash',
  'deploy/config/witness.yaml',
  'deploy/examples/agent.yaml',
  'deploy/examples/keepalived.conf',
  'deploy/examples/wider-agent.conf',
  'deploy/examples/witness.yaml',
  'deploy/man/agent.yaml.5',
  'deploy/man/witness-agent.8',
  'deploy/man/witness-check.8',
  'deploy/man/witness.yaml.5',
  'deploy/man/witnessctl.8',
  'deploy/man/witnessd.8',
  'dist/witness-agent.cjs',
  'dist/witness-agent.cjs.LEGAL.txt',
  'dist/witness-check',
  'dist/witnessctl.cjs',
  'dist/witnessd.cjs',
  'dist/witnessd.cjs.LEGAL.txt',
  'package.json',
].sort()

const mostBytes = 12 * 1024 * 1024
/** As a download. The programs carry their packages; a Debian package alone has many times that. */
const mostPackedBytes = 2 * 1024 * 1024

describe('npm pack', function () {
  this.timeout(60_000)

  it('has the programs, what they need, and no Debian package, runtime or source', function () {
    if (!existsSync('dist/witnessd.cjs')) skipAloud(this, 'no programs in dist: run npm run build')
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as [{ size: number; unpackedSize: number; files: { path: string }[] }]
    const paths = packed.files.map(({ path }) => path)
    const isDocument = (path: string): boolean => path.startsWith('docs/')
    assert.deepEqual(paths.filter((path) => !isDocument(path)).sort(), content)
    assert.deepEqual(
      paths.filter((path) => isDocument(path) && !path.endsWith('.md')),
      [],
    )
    assert.ok(packed.size < mostPackedBytes, `${packed.size} bytes packed`)
    assert.ok(packed.unpackedSize < mostBytes, `${packed.unpackedSize} bytes`)
  })
})
