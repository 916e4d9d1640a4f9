import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
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
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { agentConfigSchema } from '../../../agent/config.ts'
import { parseKeepalivedConf } from '../../../agent/keepalived-conf.ts'
import { loadWitnessConfig } from '../../../server/config.ts'

const deploy = new URL('../../../deploy', import.meta.url).pathname

describe('deploy/install.sh', () => {
  let folder: string
  let root: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'install-'))
    root = join(folder, 'root')
    mkdirSync(root)
    cpSync(deploy, join(folder, 'deploy'), { recursive: true })
    mkdirSync(join(folder, 'dist'))
    for (const program of ['witnessd.cjs', 'witnessctl.cjs', 'witness-agent.cjs', 'witness-check']) {
      writeFileSync(join(folder, 'dist', program), `#!/bin/sh\necho ${program} 1\n`)
    }
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function install(...args: string[]) {
    const env = { PATH: process.env.PATH, DESTDIR: root }
    return spawnSync('sh', [join(folder, 'deploy/install.sh'), ...args], { env, encoding: 'utf8' })
  }
  function installed(...args: string[]): string {
    const { status, stdout, stderr } = install(...args)
    assert.equal(status, 0, stderr)
    assert.equal(stderr, '')
    return stdout
  }
  const files = () =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => !lstatSync(join(root, path)).isDirectory())
      .sort()
  const inRoot = (path: string) => readFileSync(join(root, path), 'utf8')

  const documents = ['agent.yaml', 'keepalived.conf', 'witness.yaml'].map(
    (name) => `usr/local/share/doc/keepalived-witness/${name}`,
  )
  const shared = ['etc/tmpfiles.d/keepalived-witness.conf']

  it('puts the witness on its host', () => {
    const said = installed('witness')
    assert.deepEqual(files(), [
      'etc/keepalived-witness/witness.yaml',
      'etc/systemd/system/witnessd.service',
      ...shared,
      'usr/local/bin/witnessctl',
      'usr/local/bin/witnessd',
      'usr/local/lib/keepalived-witness/witnessctl.cjs',
      'usr/local/lib/keepalived-witness/witnessd.cjs',
      ...documents,
    ])
    assert.equal(statSync(join(root, 'usr/local/lib/keepalived-witness/witnessd.cjs')).mode & 0o777, 0o755)
    assert.match(said, /witness\.yaml is the example: edit it/)
    assert.match(said, /token is missing: make it/)
  })

  it('puts the agent and the check on theirs', () => {
    const said = installed('agent')
    assert.deepEqual(files(), [
      'etc/keepalived-witness/agent.yaml',
      'etc/systemd/system/witness-agent.service',
      ...shared,
      'usr/libexec/keepalived/witness-check',
      'usr/local/bin/witness-agent',
      'usr/local/lib/keepalived-witness/witness-agent.cjs',
      ...documents,
    ])
    assert.equal(statSync(join(root, 'usr/libexec/keepalived/witness-check')).mode & 0o777, 0o755)
    assert.match(said, /keepalived\.conf and restart keepalived/)
  })

  it('updates programs and never configuration', () => {
    installed('agent')
    writeFileSync(join(root, 'etc/keepalived-witness/agent.yaml'), 'cluster: mine\n')
    writeFileSync(join(folder, 'dist/witness-check'), '#!/bin/sh\necho 2\n')
    const before = files()
    assert.match(installed('agent'), /agent\.yaml is kept as it is/)
    assert.deepEqual(files(), before)
    assert.equal(inRoot('etc/keepalived-witness/agent.yaml'), 'cluster: mine\n')
    assert.equal(inRoot('usr/libexec/keepalived/witness-check'), '#!/bin/sh\necho 2\n')
  })

  it('takes another prefix, in the unit too', () => {
    installed('witness', '--prefix', '/opt/witness/')
    assert.match(inRoot('etc/systemd/system/witnessd.service'), /^ExecStart=\/opt\/witness\/bin\/witnessd /m)
    assert.ok(existsSync(join(root, 'opt/witness/lib/keepalived-witness/witnessd.cjs')))
    assert.ok(!existsSync(join(root, 'usr')))
  })

  it('takes away one role, then the other, and leaves configuration', () => {
    installed('witness')
    installed('agent')
    assert.match(installed('agent', '--uninstall'), /lines of keepalived-witness out of keepalived\.conf/)
    assert.ok(existsSync(join(root, 'etc/tmpfiles.d/keepalived-witness.conf')), 'the witness needs it')
    assert.ok(!existsSync(join(root, 'usr/libexec/keepalived/witness-check')))
    installed('witness', '--uninstall')
    installed('witness', '--uninstall')
    assert.deepEqual(files(), ['etc/keepalived-witness/agent.yaml', 'etc/keepalived-witness/witness.yaml'])
  })

  it('says what is wrong with its arguments, and what is not built', () => {
    for (const args of [
      [],
      ['both'],
      ['witness', 'agent'],
      ['agent', '--prefix'],
      ['agent', '--prefix', 'x'],
      ['agent', '--prefix', '/a b'],
    ]) {
      const { status, stderr } = install(...args)
      assert.equal(status, 2, args.join(' '))
      assert.match(stderr, /^install\.sh: .*\nusage: /)
    }
    rmSync(join(folder, 'dist/witness-agent.cjs'))
    const { status, stderr } = install('agent')
    assert.equal(status, 1)
    assert.match(stderr, /witness-agent\.cjs is missing; run: npm ci && npm run build/)
    assert.deepEqual(files(), [])
  })
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

  const all = 'keepalived nftables iputils-ping iputils-arping iproute2 curl util-linux procps strace'.split(
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
