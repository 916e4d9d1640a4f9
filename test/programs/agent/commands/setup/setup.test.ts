import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseKeepalivedConf } from '../../../../../agent/keepalived-conf/profiles.ts'
import { usualAgentYaml, usualCheckProgram as checkProgram } from '../../../../../agent/config.ts'
import { runSetup, type SetupOptions } from '../../../../../agent/commands/setup/setup.ts'
import { skipAloud } from '../../../../skip-aloud.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { fixtures, instance } from '../../../../fixtures/keepalived-confs.ts'
import { shapes } from '../../../../fixtures/keepalived-shapes.ts'
import { keepalivedInNamespace, keepalivedOrSkip } from '../../../../fixtures/keepalived-in-namespace.ts'

const runDir = '/run/keepalived-witness'
const samples = '/usr/share/doc/keepalived/samples'

describe('witness-agent setup', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const conf = () => folder('etc/keepalived.conf')
  let real: string

  before(function () {
    real = keepalivedOrSkip(this)
  })

  beforeEach(() => {
    mkdirSync(folder('etc'))
    configure(keepalivedInNamespace(folder('keepalived'), real))
  })

  function configure(program: string): void {
    writeFileSync(
      folder('agent.yaml'),
      `cluster: web\nnode: lb01\nwitness: https://192.0.2.1:7400\nkeepalived:\n  program: ${program}\n  config: ${conf()}\n`,
    )
  }

  function write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(folder(`etc/${name}`)), { recursive: true })
      writeFileSync(folder(`etc/${name}`), text, 'latin1')
    }
  }

  /** Everything under the folder but the copies that setup keeps. */
  function tree(path = folder('etc')): Record<string, string> {
    const names = readdirSync(path).filter((name) => !name.endsWith('.before-witness'))
    return Object.fromEntries(
      names.flatMap((name) => {
        const file = join(path, name)
        return statSync(file).isDirectory()
          ? Object.entries(tree(file))
          : [[file.slice(folder('etc/').length), readFileSync(file, 'latin1')]]
      }),
    )
  }

  function copies(path = folder('etc')): string[] {
    return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.before-witness'),
    )
  }

  async function setup(
    does: SetupOptions['does'],
    more: Partial<SetupOptions> = {},
  ): Promise<{ code: number; diff: string; said: string }> {
    const diff: Buffer[] = []
    const said: string[] = []
    const code = await runSetup(
      {
        does,
        config: folder('agent.yaml'),
        keepalivedConfig: null,
        configId: null,
        checkProgram,
        advised: false,
        ...more,
      },
      { now: new Date(), showDiff: (bytes) => diff.push(bytes), say: (line) => said.push(line) },
    )
    return { code, diff: Buffer.concat(diff).toString('latin1'), said: said.join('\n') }
  }

  async function done(does: SetupOptions['does'], more: Partial<SetupOptions> = {}): Promise<void> {
    const { code, said } = await setup(does, more)
    assert.equal(code, 0, said)
  }

  function keepalivedSays(configId?: string): string {
    const args = ['-t', '-f', conf(), ...(configId === undefined ? [] : ['-i', configId])]
    return spawnSync(folder('keepalived'), args, { encoding: 'utf8' }).stderr
  }

  /** Read by the agent's own parser: none of the product's lines is missing or wrong. */
  function missingLines(configId?: string): string[] {
    const options = configId === undefined ? {} : { configId }
    const without = parseKeepalivedConf(conf(), options).warnings
    return parseKeepalivedConf(conf(), { runDir, ...options }).warnings.slice(without.length)
  }

  for (const { what, files, configId } of fixtures) {
    for (const advised of [false, true]) {
      it(`protects ${what}, and takes it back${advised ? ', with what is advised' : ''}`, async () => {
        write(files)
        const more = { advised, configId: configId ?? null }
        const shown = await setup('show', more)
        assert.equal(shown.code, 1, shown.said)
        assert.deepEqual(tree(), files)

        const applied = await setup('apply', more)
        assert.equal(applied.code, 0, applied.said)
        assert.equal(applied.diff, shown.diff)
        assert.deepEqual(missingLines(configId), [])
        const complaints = keepalivedSays(configId)
        assert.doesNotMatch(complaints, /not found|ignoring|already|Unknown|duplicate|Disabling/i)

        const after = tree()
        const again = await setup('apply', more)
        assert.equal(again.code, 0)
        assert.match(again.said, /Nothing to do/)
        assert.deepEqual(tree(), after)

        const undone = await setup('undo', more)
        assert.equal(undone.code, 0, undone.said)
        assert.match(undone.said, /byte for byte/)
        assert.deepEqual(tree(), files)
        assert.match((await setup('undo', more)).said, /Nothing to do/)
      })
    }
  }

  /** Without places: the added lines move the others. */
  const complaintsOf = (text: string): string[] =>
    text
      .split('\n')
      .map((line) => line.replace(/^\([^)]*Line \d+\) /, '').trim())
      .filter((line) => line !== '')

  for (const { what, files, configId } of shapes)
    it(`protects or refuses ${what}, and loses no byte of it`, async () => {
      const placed = Object.fromEntries(
        Object.entries(files).map(([name, text]) => [name, text.replaceAll('FOLDER', folder('etc'))]),
      )
      write(placed)
      const more = { configId: configId ?? null }
      const known = complaintsOf(keepalivedSays(configId))
      const applied = await setup('apply', more)
      if (applied.code !== 0) {
        assert.match(applied.said, /keepalived\.conf:\d+: /)
        assert.match(applied.said, /nothing was changed/)
        assert.deepEqual([tree(), copies()], [placed, []])
        return
      }
      const added = complaintsOf(keepalivedSays(configId)).filter((line) => !known.includes(line))
      assert.deepEqual(
        added.filter((line) => !applied.said.includes(`also says "${line}"`)),
        [],
      )
      const after = tree()
      assert.match((await setup('apply', more)).said, /Nothing to do/)
      assert.deepEqual(tree(), after)
      await done('undo', more)
      assert.deepEqual(tree(), placed)
    })

  if (existsSync(samples)) {
    for (const name of readdirSync(samples).filter((each) => each.includes('.conf.'))) {
      const text = readFileSync(join(samples, name), 'latin1')
      it(`does what it can with Debian's sample ${name}`, async () => {
        const files = { 'keepalived.conf': text.replace(/interface eth[^0].*/g, 'interface eth0') }
        write(files)
        const applied = await setup('apply', { configId: 'high' })
        if (!/^vrrp_instance/m.test(text)) {
          assert.equal(applied.code, 2)
          assert.match(applied.said, /no vrrp_instance/)
          assert.deepEqual(tree(), files)
          return
        }
        assert.equal(applied.code, 0, applied.said)
        assert.deepEqual(missingLines('high'), [])
        await done('undo', { configId: 'high' })
        assert.deepEqual(tree(), files)
      })
    }
  } else
    it('does what it can with Debian’s samples', function () {
      skipAloud(this, `no ${samples} here: install keepalived with its documentation`)
    })

  it('shows a diff that patch(1) makes the same file from', async () => {
    const files = { 'keepalived.conf': fixtures[0]!.files['keepalived.conf']! }
    write(files)
    const { diff } = await setup('show')
    writeFileSync(folder('patched'), files['keepalived.conf'], 'latin1')
    await setup('apply')
    execFileSync('patch', ['--quiet', folder('patched')], { input: Buffer.from(diff, 'latin1') })
    assert.equal(readFileSync(folder('patched'), 'latin1'), tree()['keepalived.conf'])
  })

  it('keeps owner, mode and symbolic links, also of its copy', async () => {
    write({ 'real/keepalived.conf': instance('VI_1') })
    chmodSync(folder('etc/real/keepalived.conf'), 0o640)
    chownSync(folder('etc/real/keepalived.conf'), 0, 12345)
    symlinkSync('real/keepalived.conf', conf())
    await done('apply')
    assert.ok(lstatSync(conf()).isSymbolicLink())
    const [copy = ''] = copies()
    for (const file of [conf(), folder(`etc/${copy}`)]) {
      const { mode, gid } = statSync(file)
      assert.deepEqual([mode & 0o7777, gid], [0o640, 12345])
    }
    assert.equal(dirname(copy), 'real')
    assert.equal(readFileSync(folder(`etc/${copy}`), 'utf8'), instance('VI_1'))
  })

  it('hides its copies where keepalived would include them', async () => {
    write({ 'keepalived.conf': 'include conf.d/*\n', 'conf.d/web': instance('VI_1') })
    await setup('apply')
    const names = copies().map((path) => basename(path))
    assert.equal(names.filter((name) => name.startsWith('.web.')).length, 1)
    assert.equal(names.filter((name) => name.startsWith('keepalived.conf.')).length, 1)
    assert.deepEqual(missingLines(), [])
  })

  it('leaves nothing behind where keepalived finds a fault in the outcome', async () => {
    const files = { 'keepalived.conf': instance('VI_1') }
    write(files)
    const { code, said } = await setup('apply', {
      checkProgram: '/usr/libexec/keepalived/missing/witness-check',
    })
    assert.equal(code, 2)
    assert.match(said, /keepalived -t finds a fault .*nothing was changed:\n {2}.*witness_VI_1/s)
    assert.deepEqual(tree(), files)
    assert.deepEqual(copies(), [])
  })

  it('goes on where keepalived complained of the present configuration already', async () => {
    write({ 'keepalived.conf': `nonsense here\n${instance('VI_1')}` })
    await done('apply')
  })

  it('takes only its own lines back where the admin edited since, and says so', async () => {
    write({ 'keepalived.conf': instance('VI_1') })
    await setup('apply')
    const text = readFileSync(conf(), 'utf8').replace('priority 100', 'priority 90') + '# later\n'
    writeFileSync(conf(), text.replace('    interval 1\n', '    interval 2\n'))
    const { code, said } = await setup('undo')
    assert.equal(code, 0)
    assert.match(said, /what you have changed since setup added them is kept/)
    assert.match(said, /keepalived\.conf:\d+: the lines between .* were changed after setup wrote them/)
    assert.equal(
      readFileSync(conf(), 'utf8'),
      `${instance('VI_1').replace('priority 100', 'priority 90')}# later\n`,
    )
  })

  it('touches nothing where a line of the admin stands among its own', async () => {
    write({ 'keepalived.conf': instance('VI_1') })
    await setup('apply')
    const text = readFileSync(conf(), 'utf8').replace(
      '    script_user root\n',
      '    script_user root\n    router_id x\n',
    )
    writeFileSync(conf(), text)
    for (const does of ['apply', 'undo'] as const) {
      const { code, said } = await setup(does)
      assert.equal(code, 2)
      assert.match(said, /keepalived\.conf:4: this line is between .* Move it out/)
      assert.equal(readFileSync(conf(), 'utf8'), text)
    }
  })

  it('adds the lines of an instance that came later', async () => {
    write({ 'keepalived.conf': instance('VI_1') })
    await setup('apply')
    writeFileSync(conf(), readFileSync(conf(), 'utf8') + instance('VI_2', '', 52))
    assert.equal((await setup('show')).code, 1)
    await done('apply')
    assert.deepEqual(missingLines(), [])
    await setup('undo')
    assert.equal(readFileSync(conf(), 'utf8'), instance('VI_1') + instance('VI_2', '', 52))
  })

  it('leaves the FIFO of the admin alone, and uses the other one that keepalived has', async () => {
    const before = `global_defs {\n    vrrp_notify_fifo /run/other.fifo\n}\n${instance('VI_1')}`
    write({ 'keepalived.conf': before })
    const { code, diff } = await setup('show')
    assert.equal(code, 1)
    assert.match(diff, /^\+ {4}notify_fifo \S+\/notify\.fifo root$/m)
    // Its user would be lost at a reload if setup added script security.
    assert.doesNotMatch(diff, /^\+.*(script_user|enable_script_security)/m)
    await done('apply')
    assert.deepEqual(missingLines(), [])
    await setup('undo')
    assert.equal(readFileSync(conf(), 'utf8'), before)
  })

  it('changes nothing where a program of the admin reads the agent’s FIFO, and says how to part them', async () => {
    const lines = `vrrp_notify_fifo ${runDir}/notify.fifo\n    vrrp_notify_fifo_script "/opt/reader" root`
    const text = `global_defs {\n    ${lines}\n}\nvrrp_instance V1 {\n    interface eth0\n    virtual_ipaddress {\n        10.0.0.9\n    }\n}\n`
    write({ 'keepalived.conf': text })
    for (const does of ['show', 'apply'] as const) {
      const { code, said } = await setup(does)
      assert.equal(code, 2, said)
      assert.match(
        said,
        /keepalived\.conf:3: vrrp_notify_fifo_script starts a program that reads the agent's FIFO/,
      )
      assert.match(
        said,
        /move the agent's line \(.*:2\) to "notify_fifo .*notify\.fifo root".*Nothing was changed/,
      )
    }
    assert.deepEqual(tree(), { 'keepalived.conf': text })
  })

  it('says by hand what an instance out of a definition needs', async () => {
    write({
      'keepalived.conf': `$I= \\\nvrrp_instance VI_1 { \\\n interface eth0 \\\n virtual_router_id 51 \\\n}\n\n$I\n`,
    })
    const { code, said } = await setup('show')
    assert.equal(code, 2)
    assert.match(said, /keepalived\.conf:7: vrrp_instance VI_1: setup cannot add lines to it/)
    // The lines are in the message: put where it says, nothing is missing.
    const part = (from: string, to: string | undefined) =>
      said.slice(said.indexOf(from) + from.length, to === undefined ? undefined : said.indexOf(to))
    const [globals, above, inside] = [
      '# in global_defs, above every vrrp_instance',
      '# above vrrp_instance VI_1',
      '# inside vrrp_instance VI_1',
    ] as const
    write({
      'keepalived.conf': [
        `global_defs {${part(globals, above)}}`,
        part(above, inside),
        instance('VI_1').replace(/\}\s*$/, `${part(inside, undefined)}\n}\n`),
      ].join('\n'),
    })
    assert.deepEqual(missingLines(), [])
  })

  it('refuses a name that is taken by something else', async () => {
    write({ 'keepalived.conf': `vrrp_track_file bar_VI_1 {\n file /x\n}\n${instance('VI_1')}` })
    const { code, said } = await setup('apply')
    assert.equal(code, 2)
    assert.match(said, /keepalived\.conf:1: setup uses the name bar_VI_1 for its own lines/)
  })

  it('says what is wrong where there is no keepalived, and takes its lines back all the same', async () => {
    write({ 'keepalived.conf': instance('VI_1') })
    await setup('apply')
    configure('/nonexistent/keepalived')
    const undone = await setup('undo')
    assert.equal(undone.code, 0)
    assert.match(undone.said, /keepalived is not installed, so the result is not tested/)
    const { code, said } = await setup('apply')
    assert.equal(code, 2)
    assert.match(said, /\/nonexistent\/keepalived: there is no such program.*Install keepalived/)
    assert.equal(readFileSync(conf(), 'utf8'), instance('VI_1'))
  })

  it('says what to do about a configuration that is missing or not to be read', async () => {
    const missing = await setup('show')
    assert.equal(missing.code, 2)
    assert.match(missing.said, /keepalived\.conf: .*ENOENT/)
    write({ 'keepalived.conf': instance('VI_1') })
    chmodSync(conf(), 0o600)
    // The folder for temporary files may be root's alone.
    for (const path of [dirname(folder()), folder(), folder('etc')])
      chmodSync(path, statSync(path).mode | 0o055)
    process.seteuid?.(65534)
    try {
      const { code, said } = await setup('show')
      assert.equal(code, 2)
      assert.match(said, /keepalived\.conf: cannot be read \(EACCES.*check the path and its permissions/)
    } finally {
      process.seteuid?.(0)
    }
  })

  it('takes the usual paths where there is no agent.yaml yet', async function () {
    if (existsSync(usualAgentYaml)) skipAloud(this, `${usualAgentYaml} is there`)
    write({ 'keepalived.conf': instance('VI_1') })
    const { code, diff } = await setup('show', { config: usualAgentYaml, keepalivedConfig: conf() })
    assert.equal(code, 1)
    assert.match(diff, /\/run\/keepalived-witness\/VI_1\.bar/)
  })

  it('takes no defaults for an agent.yaml that was named and is not there', async () => {
    write({ 'keepalived.conf': instance('VI_1') })
    renameSync(folder('agent.yaml'), folder('other.yaml'))
    for (const does of ['show', 'apply', 'undo'] as const) {
      const { code, diff, said } = await setup(does, { keepalivedConfig: conf() })
      assert.deepEqual([code, diff], [2, ''])
      assert.match(said, /agent\.yaml: there is no such file; .*or name another one with --config/)
    }
    assert.deepEqual(tree(), { 'keepalived.conf': instance('VI_1') })
  })
})
