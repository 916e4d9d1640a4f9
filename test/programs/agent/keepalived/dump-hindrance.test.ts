import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dumpHindrance } from '../../../../agent/keepalived/dump-hindrance.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'
import { skipAloud } from '../../../skip-aloud.ts'

describe('dumpHindrance', () => {
  const folder = temporaryFolder()

  it('finds nothing at a path that is free, or has the dump of before', () => {
    assert.equal(dumpHindrance(folder('k.json'), process.pid), null)
    writeFileSync(folder('k.json'), '[]')
    assert.equal(dumpHindrance(folder('k.json'), process.pid), null)
    assert.equal(dumpHindrance(folder('k.json'), null), null)
  })

  it('names a folder or a link that somebody put there', () => {
    mkdirSync(folder('k.json'))
    assert.match(dumpHindrance(folder('k.json'), null) ?? '', /k\.json is a folder .*; remove it$/)
    symlinkSync('/nonexistent', folder('link.json'))
    assert.match(dumpHindrance(folder('link.json'), null) ?? '', /link\.json is a symbolic link/)
  })

  it('names a keepalived that has a folder of its own in its place (PrivateTmp)', async function () {
    if (process.getuid?.() !== 0) skipAloud(this, 'only root can mount')
    mkdirSync(folder('private'))
    mkdirSync(folder('tmp'))
    const mount = `mount --bind "$0/private" "$0/tmp" && touch "$0/ready" && exec sleep 60`
    const other = spawn('unshare', ['--mount', 'sh', '-c', mount, folder()], { stdio: 'ignore' })
    try {
      await eventually('the other mount', () => existsSync(folder('ready')))
      const text = dumpHindrance(folder('tmp/k.json'), other.pid ?? 0) ?? ''
      assert.match(text, /has another .*\/tmp than this program \(PrivateTmp= of its unit/)
      assert.equal(dumpHindrance(folder('k.json'), other.pid ?? 0), null)
    } finally {
      other.kill('SIGKILL')
    }
  })
})
