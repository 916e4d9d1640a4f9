import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const root = join(import.meta.dirname, '../..')

describe('a test that cannot run here', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()

  function play(env: NodeJS.ProcessEnv): { code: number | null; text: string } {
    writeFileSync(
      folder('story.test.ts'),
      `import { programOrSkip } from ${JSON.stringify(join(root, 'test/skip-aloud.ts'))}
it('needs a shell', function () { programOrSkip(this, 'sh') })
it('needs more', function () { programOrSkip(this, 'no-such-program') })
`,
    )
    const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
    const { status, stdout, stderr } = spawnSync(process.execPath, [mocha, folder('story.test.ts')], {
      cwd: root,
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
    })
    return { code: status, text: stdout + stderr }
  }

  it('says so, and is skipped', () => {
    for (const env of [{}, { CI: '' }]) {
      const { code, text } = play(env)
      assert.equal(code, 0, text)
      assert.match(text, /skipped: no no-such-program here: run deploy\/debian-packages --for unit/)
      assert.match(text, /1 passing[^]*1 pending/)
    }
  })

  it('fails in CI', () => {
    const { code, text } = play({ CI: 'true' })
    assert.equal(code, 1, text)
    assert.match(text, /1 passing[^]*1 failing[^]*no no-such-program here.*with CI set, nothing is skipped/)
  })
})
