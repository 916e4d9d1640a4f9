import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { agentConfigSchema } from '../../../agent/config.ts'
import { draftApply, draftUndo } from '../../../agent/commands/setup/conf-draft.ts'
import { parseKeepalivedConf } from '../../../agent/keepalived-conf/profiles.ts'
import { loadWitnessConfig } from '../../../server/config.ts'
import { renderNodes } from '../../../server/witnessctl/nodes.ts'
import type { NodeListView } from '../../../shared/protocol/view.ts'
import { eventually } from '../../fixtures/eventually.ts'

/** As where the output is no terminal. */
const plain = (text: string): string => text

const deploy = new URL('../../../deploy', import.meta.url).pathname

describe('install.sh of the tarball', () => {
  let folder: string
  let root: string

  const unit = (program: string) =>
    `[Service]\nExecStart=/usr/lib/keepalived-witness/node /usr/lib/keepalived-witness/${program}.cjs\n`
  const content = {
    'usr/lib/keepalived-witness/node': '#!/bin/sh\necho v24.0.0\n',
    'usr/lib/keepalived-witness/witnessd.cjs': '// 1\n',
    'usr/lib/keepalived-witness/used-by-keepalived': '#!/bin/sh\nexit 1\n',
    'usr/lib/keepalived-witness/needed-by-agents': '#!/bin/sh\nexit 1\n',
    'usr/bin/witnessd':
      '#!/bin/sh\nexec /usr/lib/keepalived-witness/node /usr/lib/keepalived-witness/witnessd.cjs "$@"\n',
    'usr/libexec/keepalived/witness-check': '#!/bin/sh\necho 1\n',
    'lib/systemd/system/witnessd.service': unit('witnessd'),
    'usr/lib/systemd/system/witness-agent.service': unit('witness-agent'),
    'usr/lib/sysusers.d/keepalived-witness.conf': 'u keepalived-witness -\n',
    'usr/lib/tmpfiles.d/keepalived-witness.conf': 'd /run/keepalived-witness\n',
    'usr/share/man/man8/witnessd.8.gz': '',
    'usr/share/lintian/overrides/keepalived-witness': '',
    'etc/keepalived-witness/witness.yaml': 'listen: 0.0.0.0:7400\n',
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'install-'))
    root = join(folder, 'root')
    mkdirSync(root)
    for (const [file, text] of Object.entries(content)) {
      const path = join(folder, 'tarball', file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
    }
    symlinkSync('witnessd.8.gz', join(folder, 'tarball/usr/share/man/man8/other.8.gz'))
    cpSync(join(deploy, 'install.sh'), join(folder, 'tarball/install.sh'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function install(...args: string[]) {
    const env = { PATH: process.env.PATH, DESTDIR: root }
    return spawnSync('sh', [join(folder, 'tarball/install.sh'), ...args], { env, encoding: 'utf8' })
  }
  function installed(...args: string[]): string {
    const { status, stdout, stderr } = install(...args)
    assert.deepEqual([stderr, status], ['', 0])
    return stdout
  }
  const files = () =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => !lstatSync(join(root, path)).isDirectory())
      .sort()
  const inRoot = (path: string) => readFileSync(join(root, path), 'utf8')

  it('puts programs, check, units and pages in their places, and says what comes next', () => {
    const said = installed()
    assert.deepEqual(files(), [
      'etc/keepalived-witness/witness.yaml',
      'etc/systemd/system/witness-agent.service',
      'etc/systemd/system/witnessd.service',
      'etc/sysusers.d/keepalived-witness.conf',
      'etc/tmpfiles.d/keepalived-witness.conf',
      'usr/libexec/keepalived/witness-check',
      'usr/local/bin/witnessd',
      'usr/local/lib/keepalived-witness/installed-files',
      'usr/local/lib/keepalived-witness/needed-by-agents',
      'usr/local/lib/keepalived-witness/node',
      'usr/local/lib/keepalived-witness/used-by-keepalived',
      'usr/local/lib/keepalived-witness/witnessd.cjs',
      'usr/local/share/man/man8/other.8.gz',
      'usr/local/share/man/man8/witnessd.8.gz',
    ])
    assert.equal(statSync(join(root, 'usr/local/bin/witnessd')).mode & 0o777, 0o755)
    assert.match(
      said,
      /Next, on the third host: systemctl enable --now witnessd\. On a node: witness-agent join/,
    )
  })

  it('has starters and units find the programs under the prefix, whatever it is', () => {
    installed('--prefix', '/opt/witness/')
    assert.equal(
      inRoot('opt/witness/bin/witnessd'),
      '#!/bin/sh\nexec /opt/witness/lib/keepalived-witness/node /opt/witness/lib/keepalived-witness/witnessd.cjs "$@"\n',
    )
    assert.match(
      inRoot('etc/systemd/system/witness-agent.service'),
      /^ExecStart=\/opt\/witness\/lib\/keepalived-witness\/node /m,
    )
    assert.ok(!existsSync(join(root, 'usr/local')))
  })

  it('updates programs and never configuration', () => {
    installed()
    writeFileSync(join(root, 'etc/keepalived-witness/witness.yaml'), 'listen: 127.0.0.1:7400\n')
    writeFileSync(join(folder, 'tarball/usr/libexec/keepalived/witness-check'), '#!/bin/sh\necho 2\n')
    const before = files()
    installed()
    assert.deepEqual(files(), before)
    assert.equal(inRoot('etc/keepalived-witness/witness.yaml'), 'listen: 127.0.0.1:7400\n')
    assert.equal(inRoot('usr/libexec/keepalived/witness-check'), '#!/bin/sh\necho 2\n')
  })

  it('takes away what the version before had and this one has not', () => {
    writeFileSync(join(folder, 'tarball/usr/lib/keepalived-witness/old.cjs'), '')
    installed()
    assert.ok(files().includes('usr/local/lib/keepalived-witness/old.cjs'))
    rmSync(join(folder, 'tarball/usr/lib/keepalived-witness/old.cjs'))
    installed()
    assert.ok(!files().includes('usr/local/lib/keepalived-witness/old.cjs'))
  })

  it('lets those read it who run it, whatever root’s umask is', () => {
    const script = join(folder, 'tarball/install.sh')
    const env = { PATH: process.env.PATH, DESTDIR: root }
    assert.equal(spawnSync('sh', ['-c', `umask 077; exec sh ${script}`], { env }).status, 0)
    const modeOf = (path: string) => (statSync(join(root, path)).mode & 0o777).toString(8)
    assert.deepEqual(
      [
        'etc/keepalived-witness',
        'etc/keepalived-witness/witness.yaml',
        'etc/systemd/system/witnessd.service',
        'usr/libexec/keepalived',
        'usr/libexec/keepalived/witness-check',
        'usr/local/bin/witnessd',
        'usr/local/lib/keepalived-witness',
        'usr/local/lib/keepalived-witness/node',
      ].map(modeOf),
      ['755', '644', '644', '755', '755', '755', '755', '755'],
    )
  })

  it('takes away what it installed, and leaves configuration', () => {
    installed()
    assert.match(installed('--uninstall'), /was removed\. Its configuration .* and its state .* were kept/)
    assert.deepEqual(files(), ['etc/keepalived-witness/witness.yaml'])
    const { status, stderr } = install('--uninstall')
    assert.equal(status, 1)
    assert.match(stderr, /nothing is installed under \/usr\/local \(did you use another --prefix\?\)/)
  })

  it('says what is wrong with its arguments, and where it does not belong', () => {
    for (const args of [['agent'], ['--prefix'], ['--prefix', 'x'], ['--prefix', '/a b']]) {
      const { status, stderr } = install(...args)
      assert.equal(status, 2, args.join(' '))
      assert.match(stderr, /^install\.sh: .*\nusage: /)
    }
    rmSync(join(folder, 'tarball/usr/lib'), { recursive: true })
    const { status, stderr } = install()
    assert.equal(status, 1)
    assert.match(stderr, /has no programs; run this script from the tarball that "npm run package" makes/)
    assert.deepEqual(files(), [])
  })
})

describe('used-by-keepalived', () => {
  let folder: string
  let reader: ChildProcess | null = null
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'used-')))
    for (const name of [
      'etc/keepalived/conf.d',
      'etc/keepalived-witness',
      'run/keepalived-witness',
      'proc/1',
    ])
      mkdirSync(join(folder, name), { recursive: true })
    write('proc/1/comm', 'systemd\n')
  })
  afterEach(() => {
    reader?.kill('SIGKILL')
    reader = null
    rmSync(folder, { recursive: true })
  })
  const write = (path: string, text: string) => writeFileSync(join(folder, path), text)
  function asked(proc = join(folder, 'proc'), path = process.env.PATH) {
    const { status, stdout, stderr } = spawnSync('sh', [join(deploy, 'used-by-keepalived')], {
      env: { PATH: path, ETC: join(folder, 'etc'), RUN: join(folder, 'run'), PROC: proc },
      encoding: 'utf8',
    })
    assert.equal(stderr, '')
    return { status, stdout }
  }
  const surelyNot = { status: 1, stdout: '' }
  function doubts(says: RegExp): void {
    const { status, stdout } = asked()
    assert.equal(status, 2)
    assert.match(stdout, says)
  }
  const script = 'vrrp_script w {\n  script "/usr/libexec/keepalived/witness-check VI_1"\n}\n'

  it('says no where nothing names the product, comments and backups aside', () => {
    assert.deepEqual(asked(), surelyNot)
    write(
      'etc/keepalived/keepalived.conf',
      '! script witness-check\n # file /run/keepalived-witness/VI_1.bar\n',
    )
    write('etc/keepalived/keepalived.conf.20261121.before-witness', script)
    write('etc/keepalived/keepalived.conf.bak', script)
    assert.deepEqual(asked(), surelyNot)
  })

  it('names the line in keepalived.conf, in what it may include, and in a file that agent.yaml names', () => {
    write('etc/keepalived/keepalived.conf', 'include conf.d/*.conf\n')
    write('etc/keepalived/conf.d/web.conf', script)
    const { status, stdout } = asked()
    assert.equal(status, 0)
    assert.match(stdout, /conf\.d\/web\.conf:2: .*witness-check VI_1/)
    assert.match(stdout, /witness-agent setup --undo.*systemctl reload keepalived/s)
    rmSync(join(folder, 'etc/keepalived/conf.d/web.conf'))
    write('elsewhere.conf', 'vrrp_notify_fifo /run/keepalived-witness/notify.fifo\n')
    write('etc/keepalived-witness/agent.yaml', `keepalived:\n  config: "${folder}/elsewhere.conf" # ours\n`)
    assert.match(asked().stdout, /elsewhere\.conf:1:/)
  })

  it('follows what is included, wherever it lies, and symbolic links', () => {
    write('etc/keepalived/keepalived.conf', `@lb01 include ${folder}/elsewhere/*.conf ! ours\n`)
    mkdirSync(join(folder, 'elsewhere/more'), { recursive: true })
    write('elsewhere/web.conf', 'include more/last\ninclude web.conf\ninclude missing.conf\n')
    assert.deepEqual(asked(), surelyNot)
    write('elsewhere/more/last', script)
    assert.match(asked().stdout, /elsewhere\/more\/last:2:/)
    write('etc/keepalived/keepalived.conf', '')
    assert.deepEqual(asked(), surelyNot)
    symlinkSync(join(folder, 'elsewhere/more/last'), join(folder, 'etc/keepalived/conf.d/web.conf'))
    assert.match(asked().stdout, /conf\.d\/web\.conf:2:/)
    assert.equal(asked().status, 0)
  })

  it('does not say no where it cannot tell', () => {
    write('etc/keepalived/keepalived.conf', 'include ${PLACE}/web.conf\n')
    doubts(/keepalived\.conf includes \$\{PLACE\}\/web\.conf, and only keepalived knows/)
    write('etc/keepalived/conf.d/web.conf', script)
    assert.equal(asked().status, 0, 'a line that is found is the better answer')
    rmSync(join(folder, 'etc/keepalived/conf.d/web.conf'))
    write('etc/keepalived/keepalived.conf', '')
    write('etc/keepalived-witness/agent.yaml', 'keepalived: { config: /elsewhere.conf }\n')
    doubts(/It cannot be read from .*agent\.yaml which keepalived\.conf it names/)
    rmSync(join(folder, 'etc/keepalived-witness/agent.yaml'))
    symlinkSync('.', join(folder, 'etc/keepalived/loop'))
    doubts(/etc\/keepalived cannot be read/)
    rmSync(join(folder, 'etc/keepalived/loop'))
    rmSync(join(folder, 'proc/1'), { recursive: true })
    doubts(/proc shows no process/)
  })

  it('does not say no where a program that it needs fails', () => {
    write(
      'etc/keepalived-witness/agent.yaml',
      `keepalived:\n  config: ${folder}/etc/keepalived/keepalived.conf\n`,
    )
    write('etc/keepalived/keepalived.conf', 'include conf.d/*.conf\n')
    assert.deepEqual(asked(), surelyNot)
    for (const program of ['grep', 'find', 'sed', 'sort', 'dirname', 'head']) {
      mkdirSync(join(folder, 'bin'), { recursive: true })
      writeFileSync(join(folder, 'bin', program), '#!/bin/sh\nexit 3\n', { mode: 0o755 })
      assert.equal(asked(undefined, `${folder}/bin:${process.env.PATH}`).status, 2, program)
      rmSync(join(folder, 'bin'), { recursive: true })
    }
  })

  it('sees a keepalived that still runs with the lines: by the stamp of its check', async () => {
    const stamp = join(folder, 'run/keepalived-witness/VI_1.checked')
    reader = spawn('sh', ['-c', `while :; do : >${stamp}; sleep 0.5; done`], { stdio: 'ignore' })
    await eventually('it to run', () => existsSync(stamp))
    assert.match(
      asked().stdout,
      /keepalived still runs with lines, the check among them, that were\nremoved from its configuration/,
    )
  })

  it('waits to see that the stamp of a keepalived that was reloaded just now was the last', () => {
    write('run/keepalived-witness/VI_1.checked', '')
    assert.deepEqual(asked(), surelyNot)
  })

  it('sees it by the FIFO that it has open, too', async () => {
    const fifo = join(folder, 'run/keepalived-witness/notify.fifo')
    spawnSync('mkfifo', [fifo])
    // A process of keepalived's name with the FIFO open for both, as keepalived has it.
    const program = join(folder, 'keepalived')
    cpSync('/bin/sleep', program)
    reader = spawn('sh', ['-c', `exec ${program} 60 <>${fifo}`], { stdio: 'ignore' })
    const pid = reader.pid ?? 0
    await eventually('it to run', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'keepalived\n')
    assert.match(
      asked('/proc').stdout,
      /keepalived still runs with lines, the check among them, that were\nremoved from its configuration/,
    )
  })
})

describe('needed-by-agents', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'needed-'))
    cpSync(join(deploy, 'needed-by-agents'), join(folder, 'needed-by-agents'))
    write('witnessctl.cjs', '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const write = (name: string, text: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  /** @param nodes what `witnessctl nodes` prints; a shell script */
  function asked({ active, nodes }: { active: boolean; nodes: string }) {
    write('systemctl', active ? 'exit 0' : 'exit 3')
    write('node', nodes)
    const { status, stdout } = spawnSync('sh', [join(folder, 'needed-by-agents')], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
      encoding: 'utf8',
    })
    return { status, stdout }
  }
  const listed = (...states: NodeListView['nodes'][number][]): string =>
    `cat <<'END'\n${renderNodes({ nodes: states, invites: [], lostAt: null }, plain)}END`
  const node = (name: string, connected: boolean): NodeListView['nodes'][number] => ({
    ...{ cluster: 'web', node: name, address: '10.0.0.11', port: 7401, removed: false, connected },
    ...{ generation: 1, leastGeneration: 1, rotateAbove: null },
    ...{ enrolledAt: '2026-11-01T00:00:00Z', renewedAt: '2026-11-01T00:00:00Z' },
  })

  it('names the agents that are connected, and no others', () => {
    const { status, stdout } = asked({
      active: true,
      nodes: listed(node('lb01', true), node('lb02', false), node('lb03', true)),
    })
    assert.equal(status, 0)
    assert.match(stdout, /count on its vote: web\/lb01, web\/lb03\.\n/)
    assert.match(stdout, /systemctl disable --now witness-agent/)
  })

  it('lets a witness go that nobody is connected to, or that is stopped', () => {
    assert.deepEqual(asked({ active: true, nodes: listed(node('lb01', false)) }), { status: 1, stdout: '' })
    assert.deepEqual(asked({ active: true, nodes: 'echo "witnessctl: no node is enrolled yet" >&2' }), {
      status: 1,
      stdout: '',
    })
    assert.deepEqual(asked({ active: false, nodes: 'exit 3' }), { status: 1, stdout: '' })
  })

  it('does not know it where the witness does not answer, and says why', () => {
    assert.deepEqual(asked({ active: true, nodes: 'echo no answer; exit 1' }), {
      status: 2,
      stdout: 'no answer\n',
    })
  })
})

describe('a removal', () => {
  let folder: string
  let lib: string
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'removal-')))
    lib = join(folder, 'lib/keepalived-witness')
    mkdirSync(lib, { recursive: true })
    mkdirSync(join(folder, 'bin'))
    for (const [name, text] of [
      ['id', 'echo 0'],
      ['systemctl', 'exit 0'],
      ['deb-systemd-invoke', 'exit 0'],
    ] as const)
      program(`bin/${name}`, text)
    writeFileSync(join(lib, 'installed-files'), `${lib}/node\n`)
    writeFileSync(join(lib, 'node'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const program = (name: string, text: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  const answers = (text: string) => program('lib/keepalived-witness/used-by-keepalived', text)

  /** The two ways, kept to the folder of the test. */
  function remove(way: 'apt' | 'install.sh') {
    const source = way === 'apt' ? 'debian/keepalived-witness.prerm' : 'install.sh'
    const text = readFileSync(join(deploy, source), 'utf8')
      .replaceAll('/usr/lib/keepalived-witness', lib)
      .replaceAll('/run/systemd/system', '/nonexistent')
    writeFileSync(join(folder, 'script'), text)
    const args = way === 'apt' ? ['remove'] : ['--uninstall', '--prefix', folder]
    return spawnSync('sh', [join(folder, 'script'), ...args], {
      env: { PATH: `${folder}/bin:/usr/bin:/bin` },
      encoding: 'utf8',
    })
  }

  for (const way of ['apt', 'install.sh'] as const) {
    it(`by ${way} goes on only where keepalived surely does not use the product`, () => {
      answers('echo it is used; exit 0')
      const used = remove(way)
      assert.deepEqual([used.status, used.stderr], [1, 'it is used\n'])
      answers('exit 1')
      const { status, stderr } = remove(way)
      assert.deepEqual([status, stderr], [0, ''])
    })

    it(`by ${way} is refused where that cannot be told, with the reason and the way past it`, () => {
      for (const [text, reason] of [
        ['echo it cannot be read.; exit 2', 'it cannot be read.'],
        ['exit 127', `${lib}/used-by-keepalived ended with 127.`],
        ['kill -9 $$', `${lib}/used-by-keepalived ended with 137.`],
      ] as const) {
        answers(text)
        const { status, stderr } = remove(way)
        assert.equal(status, 1)
        assert.match(
          stderr,
          /it is not known whether keepalived on this host uses (it|keepalived-witness)\.\n/,
        )
        assert.ok(
          stderr.includes(`\n${reason}\nCorrect that. If you are sure that keepalived does not use it: rm `),
          stderr,
        )
        assert.ok(stderr.endsWith(`: rm ${lib}/used-by-keepalived\n`), stderr)
        assert.ok(existsSync(join(lib, 'node')))
      }
      rmSync(join(lib, 'used-by-keepalived'))
      const { status, stderr } = remove(way)
      assert.deepEqual([status, stderr], [0, ''])
    })

    it(`by ${way} goes on only where no agent counts on the witness of this host`, () => {
      const needed = (text: string) => program('lib/keepalived-witness/needed-by-agents', text)
      needed('echo web/lb01 does; exit 0')
      const refused = remove(way)
      assert.deepEqual([refused.status, refused.stderr], [1, 'web/lb01 does\n'])
      assert.ok(existsSync(join(lib, 'node')))
      needed('echo no answer; exit 2')
      const unknown = remove(way)
      assert.equal(unknown.status, 1)
      assert.match(
        unknown.stderr,
        /it is not known whether agents count on the witness of this host\.\nno answer\n.*: systemctl stop witnessd\n$/,
      )
      needed('exit 1')
      const { status, stderr } = remove(way)
      assert.deepEqual([status, stderr], [0, ''])
    })
  }
})

describe('deploy/examples', () => {
  const example = (name: string) => join(deploy, 'examples', name)

  it('has a keepalived.conf in which the agent misses nothing', () => {
    const { profiles, warnings } = parseKeepalivedConf(example('keepalived.conf'), {
      runDir: '/run/keepalived-witness',
    })
    assert.deepEqual(warnings, [])
    assert.deepEqual(
      profiles.map(({ instance, priority, vips }) => [instance, priority, vips]),
      [['VI_1', 150, ['10.0.0.100/24']]],
    )
  })

  it('has the lines in keepalived.conf byte for byte as setup adds them', () => {
    const path = example('keepalived.conf')
    const { changes } = draftApply({
      ...{ path, configId: 'lb01', advised: false, tellsPriorities: true, stateDir: null },
      ...{ runDir: '/run/keepalived-witness', checkProgram: '/usr/libexec/keepalived/witness-check' },
    })
    assert.deepEqual(
      changes.map(({ to }) => to),
      [],
    )
    const [undone] = draftUndo({ path, configId: 'lb01' }).changes
    assert.doesNotMatch(undone?.to ?? 'witness', /bar_|notify_fifo|witness-check|script_user/)
  })

  it('has configurations that the programs take', () => {
    const agent = agentConfigSchema.parse(parse(readFileSync(example('agent.yaml'), 'utf8')))
    assert.equal(agent.witness, 'https://10.0.0.20:7400')
    assert.equal(loadWitnessConfig(example('witness.yaml')).listen.port, 7400)
  })
})

describe('deploy/debian-packages', () => {
  let folder: string
  beforeEach(() => (folder = realpathSync(mkdtempSync(join(tmpdir(), 'packages-')))))
  afterEach(() => rmSync(folder, { recursive: true }))

  /** Runs the script with a package system of the test's own: nothing of this machine is looked at or changed. */
  function run(options: {
    installed: string[]
    args?: string[]
    aptFails?: number
    policy?: string
    root?: boolean
  }) {
    const program = (name: string, text: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    const policy = join(folder, 'policy-rc.d')
    writeFileSync(join(folder, 'fails'), String(options.aptFails ?? 0))
    writeFileSync(join(folder, 'calls'), '')
    if (options.policy !== undefined) program('policy-rc.d', options.policy)
    program(
      'dpkg-query',
      `case " ${options.installed.join(' ')} " in *" $4 "*) echo installed ;; *) exit 1 ;; esac`,
    )
    program('id', `echo ${options.root === false ? 1000 : 0}`)
    program('sudo', 'exit 1')
    program(
      'apt-get',
      `echo "$*" | sed 's/.*Timeout=300 //' >>${folder}/calls
[ ! -x ${policy} ] || { ${policy} keepalived start; echo "keepalived $?"; ${policy} nginx start; echo "nginx $?"; } >>${folder}/calls
echo words of apt
n=$(cat ${folder}/fails); [ "$n" -eq 0 ] || { echo $((n - 1)) >${folder}/fails; exit 100; }`,
    )
    const script = join(folder, 'debian-packages')
    const text = readFileSync(join(deploy, 'debian-packages'), 'utf8')
    writeFileSync(
      script,
      text.replaceAll('/usr/sbin/policy-rc.d', policy).replaceAll('/run/systemd/system', '/nonexistent'),
    )
    const { status, stdout, stderr } = spawnSync('sh', [script, ...(options.args ?? [])], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const policyIsLeft = existsSync(policy)
    return { status, stdout, stderr, calls: readFileSync(join(folder, 'calls'), 'utf8'), policyIsLeft }
  }

  const all = 'keepalived nftables iputils-ping iputils-arping iproute2 curl util-linux procps systemd'.split(
    ' ',
  )

  it('does nothing and says nothing where all is there', () => {
    assert.deepEqual(run({ installed: all }), {
      status: 0,
      stdout: '',
      stderr: '',
      calls: '',
      policyIsLeft: false,
    })
  })

  it('installs only what is missing', () => {
    const { status, calls } = run({ installed: all.filter((name) => name !== 'nftables') })
    assert.equal(status, 0)
    assert.equal(calls, 'install --no-install-recommends nftables\n')
  })

  it('keeps keepalived from starting, and nothing else, and only meanwhile', () => {
    const { status, calls, policyIsLeft } = run({ installed: [] })
    assert.equal(status, 0)
    assert.equal(calls, `install --no-install-recommends ${all.join(' ')}\nkeepalived 101\nnginx 0\n`)
    assert.equal(policyIsLeft, false)
  })

  it('leaves a policy that is there: uses one that says no, refuses with one that says yes', () => {
    const denied = run({ installed: [], policy: 'exit 101' })
    assert.equal(denied.status, 0)
    assert.equal(denied.policyIsLeft, true)
    const allowed = run({ installed: [], policy: 'exit 0' })
    assert.equal(allowed.status, 1)
    assert.equal(allowed.calls, '')
    assert.match(allowed.stderr, /lets services start, and it is not ours to change/)
  })

  it('updates the lists of a fresh machine and tries again', () => {
    const { status, calls } = run({
      installed: all
        .slice(1)
        .concat('keepalived')
        .filter((name) => name !== 'curl'),
      aptFails: 1,
    })
    assert.equal(status, 0)
    assert.deepEqual(calls.trim().split('\n').length, 3)
  })

  it('shows apt’s words where it fails, and takes its policy away', () => {
    const { status, stderr, policyIsLeft } = run({ installed: [], aptFails: 9 })
    assert.equal(status, 1)
    assert.match(stderr, /words of apt[\s\S]*apt-get could not install/)
    assert.equal(policyIsLeft, false)
  })

  it('has a longer list for the unit tests, another for the package, and none for anything else', () => {
    const unit = run({ installed: all, args: ['--for', 'unit', '--check'] })
    assert.match(unit.stderr, /missing: busybox man-db openssl patch python3-minimal strace$/m)
    const { stderr } = run({ installed: ['lintian'], args: ['--for', 'package', '--check'] })
    assert.match(stderr, /missing: debhelper dpkg-dev fakeroot binutils$/m)
    const nonsense = run({ installed: [], args: ['--for', 'fun'] })
    assert.equal(nonsense.status, 2)
    assert.match(nonsense.stderr, /--for is lab, unit, package or hosts, not "fun"/)
  })

  it('says what to do without root, and what is missing with --check', () => {
    const user = run({ installed: all.slice(1), root: false })
    assert.equal(user.status, 1)
    assert.match(user.stderr, /missing: keepalived\. Install them as root: apt-get install keepalived/)
    const check = run({ installed: all.slice(1), args: ['--check'] })
    assert.equal(check.status, 1)
    assert.equal(check.calls, '')
    assert.match(check.stderr, /missing: keepalived/)
  })
})
