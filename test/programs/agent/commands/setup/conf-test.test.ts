import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import {
  isAtLeast,
  KeepalivedMissing,
  newComplaints,
  testBeside,
  testOverlaid,
} from '../../../../../agent/commands/setup/conf-test.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { instance } from '../../../../fixtures/keepalived-confs.ts'
import { keepalivedInNamespace, keepalivedOrSkip } from '../../../../fixtures/keepalived-in-namespace.ts'

describe('keepalived -t on what is not in place yet', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()
  const path = () => folder('etc/keepalived.conf')
  const keepalived = () => ({ program: folder('keepalived'), path: path(), configId: null })

  let real: string

  before(function () {
    real = keepalivedOrSkip(this)
  })

  beforeEach(() => {
    mkdirSync(folder('etc'))
    keepalivedInNamespace(folder('keepalived'), real)
    writeFileSync(path(), 'include vi.inc\n')
    writeFileSync(folder('etc/vi.inc'), instance('VI_1'))
  })

  const candidate = (texts: Readonly<Record<string, string>>) => ({
    texts: new Map(Object.entries(texts).map(([name, text]) => [folder(`etc/${name}`), text])),
    mainRealPath: path(),
    includes: [{ folder: folder('etc'), pattern: 'vi.inc' }],
  })

  it('sees the new text of every file where the old ones are, which stay as they are', async () => {
    const texts = {
      'keepalived.conf': 'nonsense 1\ninclude vi.inc\n',
      'vi.inc': `nonsense2\n${instance('VI_1')}`,
    }
    const complaints = await testOverlaid(keepalived(), candidate(texts))
    assert.ok(Array.isArray(complaints))
    assert.ok(complaints.includes("Unknown keyword 'nonsense'"))
    assert.ok(complaints.includes("Unknown keyword 'nonsense2'"))
    assert.equal(readFileSync(path(), 'utf8'), 'include vi.inc\n')
    assert.deepEqual(readdirSync(folder('etc')), ['keepalived.conf', 'vi.inc'])
  })

  it('does without mounts where the main file alone changes, and leaves nothing behind', async () => {
    const good = { 'keepalived.conf': '# new\ninclude vi.inc\n' }
    assert.deepEqual(await testBeside(keepalived(), candidate(good)), [])
    const bad = { 'keepalived.conf': 'nonsense\ninclude vi.inc\n' }
    assert.ok((await testBeside(keepalived(), candidate(bad)))?.includes("Unknown keyword 'nonsense'"))
    assert.equal(await testBeside(keepalived(), candidate({ 'vi.inc': instance('VI_2') })), null)
    assert.deepEqual(readdirSync(folder('etc')), ['keepalived.conf', 'vi.inc'])
  })

  it('counts only what keepalived did not complain of before, wherever the line has moved to', async () => {
    writeFileSync(path(), 'nonsense\ninclude vi.inc\n')
    const same = { 'keepalived.conf': '# moved\n\nnonsense\ninclude vi.inc\n' }
    assert.deepEqual(await newComplaints(keepalived(), candidate(same)), [])
    const more = { 'keepalived.conf': 'nonsense\nmore\ninclude vi.inc\n' }
    assert.ok((await newComplaints(keepalived(), candidate(more))).includes("Unknown keyword 'more'"))
  })

  it('looks at everything also where a script has another user than root', async () => {
    const script =
      'global_defs {\n script_user nobody\n enable_script_security\n}\nvrrp_script chk {\n script /bin/true\n}\n'
    const track = '    track_script {\n chk\n missing\n }\n'
    writeFileSync(folder('etc/vi.inc'), script + instance('VI_1'))
    const complaints = await newComplaints(
      keepalived(),
      candidate({ 'vi.inc': script + instance('VI_1', track) }),
    )
    assert.deepEqual(complaints, ['(VI_1) track script missing not found, ignoring...'])
  })

  it('knows whether keepalived is a version or a later one', async () => {
    const version = (text: string): string => {
      writeFileSync(folder('other'), `#!/bin/sh\necho 'Keepalived v${text} (01/16,2022)' >&2\n`, {
        mode: 0o755,
      })
      return folder('other')
    }
    for (const later of ['2.0.16', '2.0.17', '2.1.0', '2.2', '10.0.0', '2.0.16.1'])
      assert.equal(await isAtLeast(version(later), '2.0.16'), true, later)
    for (const earlier of ['2.0.15', '2.0', '1.3.9', '1.10.20'])
      assert.equal(await isAtLeast(version(earlier), '2.0.16'), false, earlier)
    assert.equal(await isAtLeast(real, '2.0.16'), true)
    assert.equal(await isAtLeast(folder('nothing'), '2.0.16'), true)
  })

  it('is refused where there is no keepalived', async () => {
    const missing = { ...keepalived(), program: folder('nothing') }
    await assert.rejects(newComplaints(missing, candidate({})), KeepalivedMissing)
  })
})
