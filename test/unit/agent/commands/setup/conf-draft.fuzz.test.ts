/** Whatever keepalived.conf is like: there and back loses no byte, twice is once, and all lines are there after it. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { KeepalivedConfError, parseKeepalivedConf } from '../../../../../agent/keepalived-conf/profiles.ts'
import { draftApply, draftUndo, type Draft } from '../../../../../agent/commands/setup/conf-draft.ts'
import type { Profile } from '../../../../../shared/protocol/plan.ts'
import { SetupError } from '../../../../../agent/commands/setup/error.ts'
import { damaged } from '../../../../fixtures/damaged-text.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { fixtures } from '../../../../fixtures/keepalived-confs.ts'
import { storiesFrom } from '../../../../fixtures/effort.ts'

const runDir = '/run/keepalived-witness'

const globals: fc.Arbitrary<string> = fc.constantFrom(
  '',
  'global_defs { router_id x }\n',
  'global_defs {\n\trouter_id x\n}\n',
  'global_defs\n{\n  script_user nobody # theirs\n  enable_script_security\n}\n',
  'global_defs {\n    vrrp_garp_master_refresh 30\n    vrrp_notify_fifo /run/keepalived-witness/notify.fifo\n}\n',
  'vrrp_script chk {\n  script "/bin/true"\n}\n',
  '! head\n# of the file\n',
  '$X=1\n',
)
const inner = fc.constantFrom(
  'track_script {\n}\n',
  'track_script { }\n',
  'track_file\n{\n}\n',
  'state MASTER\n',
  'nopreempt\n',
  'authentication {\n  auth_type PASS\n  auth_pass "a } b"\n}\n',
  'track_interface { eth1 }\n',
  '\n',
  '# { a comment }\n',
  '@other priority 7\n',
  '@me priority 9\n',
  '$V= \\\n  dont_track_primary \\\n\n$V\n',
  'virtual_ipaddress_excluded {\n  2001:db8::1/64\n}\n',
)
const oneInstance = fc
  .record({
    head: fc.constantFrom('', '# web\n', '\n\n', '! a\n# b\n'),
    condition: fc.constantFrom('', '', '@me '),
    brace: fc.constantFrom(' {', '{', '\n{', ' {  # web'),
    quoted: fc.boolean(),
    body: fc.array(inner, { maxLength: 4 }),
    end: fc.constantFrom('}\n', '} # end\n', '   }\n'),
  })
  .map(({ head, condition, brace, quoted, body, end }) => (id: number): string => {
    const name = quoted ? `"VI_${id}"` : `VI_${id}`
    return `${head}${condition}vrrp_instance ${name}${brace}\ninterface eth0\nvirtual_router_id ${id}\nvirtual_ipaddress {\n10.0.0.${id}\n}\n${body.join('')}${end}`
  })
const snippets = [
  ...[
    '{',
    '}',
    '#',
    '!',
    '"',
    '\\',
    '\\\n',
    '\n',
    '\r',
    '\t',
    '@me ',
    '@^me ',
    '$X=',
    '$X',
    '${X}',
    '~SEQ(A, 1, 2)',
  ],
  ...[
    'include *',
    'include keepalived.conf',
    'vrrp_instance VI_1 {',
    'vrrp_instance',
    'track_file {',
    'global_defs {',
  ],
  ...[
    '# keepalived-witness begin',
    '# keepalived-witness end',
    'bar_VI_1',
    'witness_VI_1',
    'script_user nobody',
  ],
  ...['vrrp_track_file bar_VI_1 {', 'file /run/keepalived-witness/VI_1.bar', 'weight 0', 'vrrp_notify_fifo'],
]

const configuration = fc
  .record({
    parts: fc.array(globals, { maxLength: 3 }),
    instances: fc.array(fc.record({ make: oneInstance, included: fc.boolean() }), {
      minLength: 1,
      maxLength: 4,
    }),
    late: globals,
    indent: fc.constantFrom('', '  ', '\t'),
    lineEnd: fc.constantFrom('\n', '\r\n'),
    isEnded: fc.boolean(),
    advised: fc.boolean(),
  })
  .map(({ parts, instances, late, indent, lineEnd, isEnded, advised }) => {
    const files: Record<string, string> = {}
    const main = [...parts]
    instances.forEach(({ make, included }, index) => {
      const text = make(index + 1)
      if (included) files[`conf.d/${index}.conf`] = text
      else main.push(text)
    })
    main.push('include conf.d/*.conf\n', late)
    files['keepalived.conf'] = main.join('')
    const finished = Object.entries(files).map(([name, text]) => {
      const indented = text.replace(/^(?=interface|virtual|track|auth|nopreempt|state)/gm, indent)
      const whole = isEnded ? indented : indented.trimEnd()
      return [name, whole.replaceAll('\n', lineEnd)]
    })
    return { files: Object.fromEntries(finished) as Record<string, string>, advised }
  })

describe('a configuration, set up and taken back', () => {
  const folder = temporaryFolder()
  const path = () => folder('keepalived.conf')

  function place(files: Readonly<Record<string, string>>): void {
    rmSync(folder(), { recursive: true })
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(folder(name)), { recursive: true })
      writeFileSync(folder(name), text, 'latin1')
    }
  }

  function write({ changes }: Draft): void {
    for (const { realPath, to } of changes) writeFileSync(realPath, to, 'latin1')
  }

  /** What the lines of setup may change. */
  function asSetupLeavesIt(profile: Profile): Profile {
    return { ...profile, nopreempt: false, weights: profile.weights === undefined ? undefined : 'told' }
  }

  function assertThereAndBack(files: Readonly<Record<string, string>>, advised: boolean): void {
    const options = {
      path: path(),
      configId: 'me',
      runDir,
      checkProgram: '/usr/libexec/keepalived/witness-check',
      stateDir: null,
      advised,
      tellsPriorities: true,
    }
    const before = parseKeepalivedConf(path(), { configId: 'me' })
    write(draftApply(options))
    assert.deepEqual(draftApply(options).changes, [])
    const after = parseKeepalivedConf(path(), { configId: 'me', runDir })
    assert.ok(
      !after.warnings.some((text) => /vrrp_notify_fifo is missing|no track_file|no track_script/.test(text)),
    )
    assert.deepEqual(after.profiles.map(asSetupLeavesIt), before.profiles.map(asSetupLeavesIt))
    write(draftUndo(options))
    for (const [name, text] of Object.entries(files)) assert.equal(readFileSync(folder(name), 'latin1'), text)
  }

  it('comes back byte for byte', () => {
    fc.assert(
      fc.property(configuration, ({ files, advised }) => {
        place(files)
        assertThereAndBack(files, advised)
      }),
      { numRuns: storiesFrom(100) },
    )
  }).timeout(60_000)

  it('comes back, or is refused with a reason, where the file is damaged', () => {
    const good = fixtures
      .filter(({ configId }) => configId === undefined)
      .map(({ files }) => files['keepalived.conf']!)
    fc.assert(
      fc.property(
        fc.constantFrom(...good).chain((text) => damaged(text, snippets)),
        fc.boolean(),
        (characters, advised) => {
          const text = Buffer.from(characters, 'utf8').toString('latin1')
          place({ 'keepalived.conf': text })
          try {
            assertThereAndBack({ 'keepalived.conf': text }, advised)
          } catch (cause) {
            if (!(cause instanceof SetupError || cause instanceof KeepalivedConfError)) throw cause
            assert.equal(readFileSync(path(), 'latin1'), text)
          }
        },
      ),
      { numRuns: storiesFrom(100) },
    )
  }).timeout(60_000)
})
