/**
 * Units, maintainer scripts, manual pages and documents repeat paths, ports, names and numbers that the programs have. Each
 * copy is compared here with its source, so that one of the two cannot change alone.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { agentConfigSchema, usualAgentYaml, usualCheckProgram } from '../../../agent/config.ts'
import { fifoPath } from '../../../agent/keepalived-conf/product-lines.ts'
import { configSchema } from '../../../server/config.ts'
import { inviteMs } from '../../../server/core/enrolment/record.ts'
import { keptEvents } from '../../../server/records/event-log.ts'
import { defaultTiming, strictReserveMs } from '../../../shared/core/timing.ts'
import {
  agentPort,
  instanceName,
  maxInstances,
  maxNodes,
  maxVipsTold,
  witnessPort,
} from '../../../shared/protocol/names.ts'
import { timingSchema } from '../../../shared/protocol/plan.ts'

const root = new URL('../../..', import.meta.url).pathname
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const debian = (file: string): string => read(`deploy/debian/keepalived-witness.${file}`)

const agent = agentConfigSchema.parse({
  cluster: 'web',
  node: 'lb01',
  witness: `https://10.0.0.20:${witnessPort}`,
})
const server = configSchema.parse({})
const witnessYaml = join(dirname(usualAgentYaml), 'witness.yaml')
const programs = '/usr/lib/keepalived-witness'
const witnessUser = 'keepalived-witness'

/** Every text that the project delivers or publishes, by its path. Old news and decisions keep the numbers of their time. */
const published = [
  ...readdirSync(root).filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md'),
  ...['deploy', 'docs', 'agent', 'server', 'shared'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  ),
]
  .filter((file) => !/^docs\/(decisions\/|BENCH\.md)|node_modules\/|package-lock/.test(file))
  .map((file) => ({ file, text: read(file).replaceAll('\\-', '-') }))

function found(pattern: RegExp, texts = published): { where: string; match: RegExpMatchArray }[] {
  return texts.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)].map((match) => ({
      where: `${file}:${text.slice(0, match.index).split('\n').length}: ${match[0]}`,
      match,
    })),
  )
}

/** The value of each line `NAME=VALUE`. */
function settings(unit: string, name: string): string[] {
  return [...debian(`${unit}.service`).matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(
    ([, value = '']) => value,
  )
}

describe('a fact that stands in several places', () => {
  it('is the same path everywhere', () => {
    const folders = new Set([
      ...[agent.runDir, agent.stateDir, server.runDir, server.dataDir, dirname(usualAgentYaml), programs],
      ...[dirname(usualCheckProgram), '/usr/share/doc/keepalived-witness'],
    ])
    // keepalived's own, which the product reads.
    const theirs = new Set([
      ...[agent.keepalived.config, agent.keepalived.pidFile, dirname(agent.keepalived.config)],
      ...['/usr/local/etc/keepalived/keepalived.conf', '/run/keepalived', '/usr/share/doc/keepalived'],
    ])
    const paths = found(
      /(?<![\w$}])\/(?:run|etc|usr\/(?:local\/)?(?:lib|libexec|share\/doc|etc)|var\/lib)\/keepalived[\w./-]*/g,
    )
    assert.ok(paths.length > 60, 'the pattern finds them')
    const unknown = paths.filter(({ match: [written] }) => {
      const path = written.replace(/[./]+$/, '')
      const within = [...folders].some((folder) => path === folder || path.startsWith(`${folder}/`))
      return !within && !theirs.has(path)
    })
    assert.deepEqual(
      unknown.map(({ where }) => where),
      [],
    )
    const checks = found(/\/usr\/libexec\/keepalived\/[\w-]+/g)
    assert.ok(checks.length > 5)
    assert.deepEqual(
      checks.filter(({ match: [path] }) => path !== usualCheckProgram).map(({ where }) => where),
      [],
    )
  })

  it('is the same port everywhere', () => {
    const ports = found(/(?::|ports? |TCP |and |, )(7[34]\d\d)\b/g)
    assert.ok(ports.length > 30)
    assert.deepEqual(
      ports
        .filter(({ match: [, port] }) => ![witnessPort, agentPort].includes(Number(port)))
        .map(({ where }) => where),
      [],
    )
    assert.equal(agent.listen.port, agentPort)
    assert.equal(server.listen.port, witnessPort)
  })

  it('is the same default of a duration wherever its number stands beside its name', () => {
    const defaults: Readonly<Record<string, readonly number[]>> = {
      ...Object.fromEntries(
        Object.entries(defaultTiming).flatMap(([name, value]) =>
          typeof value === 'number' ? [[name, [value]]] : [],
        ),
      ),
      reserveMs: [defaultTiming.reserveMs, strictReserveMs],
    }
    const name = Object.keys(defaults).join('|')
    // `renewMs` (400 ms), renewMs (0.4 s), `renewMs` = 400 ms, | `renewMs` | 400, but not 3 × `renewMs` (1.2 s).
    const beside = found(
      new RegExp(`(?<![×−+] \`?)\\b(${name})\\b\`? *(?:\\(|= |\\| +)(\\d[\\d ]*(?:\\.\\d+)?)( s\\b)?`, 'g'),
      published.filter(({ file }) => file !== 'docs/reference/messages.md' && !file.endsWith('.ts')),
    )
    assert.ok(beside.length > 25, `${beside.length}`)
    const isDefault = (key: string, number: string, seconds: string | undefined): boolean =>
      defaults[key]?.includes(Number(number.replaceAll(' ', '')) * (seconds === undefined ? 1 : 1000)) ===
      true
    assert.deepEqual(
      beside
        .filter(({ match: [, key = '', number = '', seconds] }) => !isDefault(key, number, seconds))
        .map(({ where }) => where),
      [],
    )
  })

  it('is the same reach of a duration in the reference of messages', () => {
    const rows = found(
      /\| `timing\.(\w+)` \| (\d+) to (\d+)/g,
      published.filter(({ file }) => file === 'docs/reference/messages.md'),
    )
    const written = rows.map(({ match: [, name, least, most] }) => [name, Number(least), Number(most)])
    const { gate, ...durations } = timingSchema.shape
    assert.ok(gate.safeParse('open').success)
    assert.deepEqual(
      written.sort(),
      Object.entries(durations)
        .map(([name, schema]) => {
          const number = 'unwrap' in schema ? schema.unwrap() : schema
          return [name, number.minValue, number.maxValue]
        })
        .sort(),
    )
  })
})

describe('a message', () => {
  it('names only keys that the file has', () => {
    const { keepalived, ...own } = agentConfigSchema.shape
    const keys: Readonly<Record<string, ReadonlySet<string>>> = {
      agent: new Set([
        ...Object.keys(own),
        ...Object.keys(keepalived.unwrap().shape).flatMap((key) => [key, `keepalived.${key}`]),
      ]),
      witness: new Set([
        ...Object.keys(configSchema.shape),
        'clusters.NAME.gate',
        'clusters.NAME.timing',
        'gate',
      ]),
    }
    const ordinary = new Set(['as', 'cluster', 'command', 'host', 'list', 'path', 'written'])
    // "mode in agent.yaml", and "gate: strict" for this cluster in witness.yaml.
    const named = found(/([\w.]+)(?:: \w+)?["'`]?(?: for this cluster)? in `?(agent|witness)\.yaml/g)
    assert.ok(named.length > 20)
    assert.deepEqual(
      named
        .filter(({ match: [, key = '', file = ''] }) => !ordinary.has(key) && keys[file]?.has(key) !== true)
        .map(({ where }) => where),
      [],
    )
  })
})

describe('the unit of the agent', () => {
  it('starts the program with the configuration that join writes', () =>
    assert.deepEqual(settings('witness-agent', 'ExecStart'), [
      `${programs}/node ${programs}/witness-agent.cjs --config ${usualAgentYaml}`,
    ]))

  it('may write where the agent writes by default, and nowhere else', () => {
    assert.deepEqual(settings('witness-agent', 'StateDirectory'), [basename(agent.stateDir)])
    assert.equal(dirname(agent.stateDir), '/var/lib')
    const { dumpFile, statsFile } = agent.keepalived
    assert.equal(dirname(dumpFile), dirname(statsFile))
    assert.deepEqual(settings('witness-agent', 'ReadWritePaths'), [`-${agent.runDir} ${dirname(dumpFile)}`])
  })

  it('goes before the keepalived that the agent stops and starts', () => {
    const [, , unit = ''] = agent.keepalived.stopCommand
    assert.deepEqual(agent.keepalived.startCommand, ['systemctl', 'start', unit])
    assert.deepEqual(settings('witness-agent', 'Before'), [`${unit}.service`])
  })
})

describe('the unit of witnessd', () => {
  it('starts the program with the configuration that the package brings', () =>
    assert.deepEqual(settings('witnessd', 'ExecStart'), [
      `${programs}/node ${programs}/witnessd.cjs --config ${witnessYaml}`,
    ]))

  it('may write where witnessd writes by default, and nowhere else', () => {
    assert.deepEqual(settings('witnessd', 'StateDirectory'), [basename(server.dataDir)])
    assert.equal(dirname(server.dataDir), '/var/lib')
    assert.deepEqual(settings('witnessd', 'ReadWritePaths'), [`-${server.runDir}`])
  })

  it('runs as the user that sysusers.d makes and that owns the run folder', () => {
    assert.deepEqual(settings('witnessd', 'User'), [witnessUser])
    assert.deepEqual(settings('witnessd', 'Group'), [witnessUser])
    const users = [...debian('sysusers').matchAll(/^u (\S+) .* (\/\S+)$/gm)].map((match) => match.slice(1))
    assert.deepEqual(users, [[witnessUser, server.dataDir]])
  })

  it('is described as it is', () => {
    const row = (name: string): string[] =>
      (
        read('docs/operating/install.md')
          .split('\n')
          .find((line) => line.startsWith(`| ${name} |`))
          ?.split('|')
          .slice(2, -1) ?? []
      ).map((cell) => cell.trim())
    const units = ['witnessd', 'witness-agent']
    const each = (name: string): string[] => units.map((unit) => settings(unit, name)[0] ?? '')
    const number = (text: string): string => /\d+(\.\d+)?/.exec(text)?.[0] ?? text
    assert.deepEqual(row('watchdog').map(number), each('WatchdogSec').map(number))
    assert.deepEqual(
      row('restart').map((cell) => `${Number(number(cell)) * 1000}ms`),
      each('RestartSec'),
    )
    assert.deepEqual(
      row('memory').map((cell) => cell.replace(/ ([GM])iB at most/, '$1')),
      each('MemoryMax'),
    )
    assert.equal(row('user')[0], `\`${witnessUser}\``)
  })
})

describe('what is installed and removed', () => {
  it('are the run folders of both programs, which tmpfiles.d makes', () => {
    const lines = [...debian('tmpfiles').matchAll(/^d (\S+) (\d+) (\S+) (\S+) -$/gm)].map((match) =>
      match.slice(1),
    )
    assert.deepEqual(lines, [
      [agent.runDir, '0755', 'root', 'root'],
      [server.runDir, '0755', witnessUser, witnessUser],
    ])
  })

  it('are all folders of both programs, which a purge deletes', () => {
    const [, command = ''] = /rm -rf ((?:.*\\\n)*.*)/.exec(debian('postrm')) ?? []
    assert.deepEqual(
      command.split(/[\s\\]+/).sort(),
      [server.dataDir, agent.stateDir, dirname(usualAgentYaml), agent.runDir, server.runDir].sort(),
    )
  })

  it('are the places that install.sh and used-by-keepalived know', () => {
    const install = read('deploy/install.sh')
    assert.match(install, new RegExp(`^etc=${dirname(usualAgentYaml)}$`, 'm'))
    assert.match(install, new RegExp(`^check=${usualCheckProgram}$`, 'm'))
    for (const word of [agent.runDir, server.runDir, witnessUser]) assert.ok(install.includes(word), word)
    const asks = read('deploy/used-by-keepalived')
    assert.ok(asks.includes(`${basename(usualCheckProgram)}\\|${agent.runDir}`))
    assert.ok(asks.includes(`$etc${usualAgentYaml.replace('/etc', '')}`))
    const underRun = (path: string): string => `$run${path.replace('/run', '')}`
    assert.ok(asks.includes(underRun(fifoPath(agent.runDir))))
    assert.ok(asks.includes(`stamps=${underRun(agent.runDir)}\n`))
  })

  it('are the files that the package puts there', () => {
    const makes = read('deploy/package/main.ts')
    assert.ok(makes.includes(`'${usualCheckProgram.slice(1)}'`))
    assert.ok(makes.includes("const name = 'keepalived-witness'"))
    assert.ok(makes.includes('const lib = `usr/lib/${name}`'))
    assert.ok(makes.includes(`etc/\${name}/${basename(witnessYaml)}`))
  })

  it('are the programs that package.json, the build and the maintainer scripts name', () => {
    const { bin, files } = JSON.parse(read('package.json')) as {
      bin: Record<string, string>
      files: string[]
    }
    assert.deepEqual(Object.keys(bin).sort(), ['witness-agent', 'witness-check', 'witnessctl', 'witnessd'])
    for (const program of ['witnessd', 'witness-agent', 'witnessctl'])
      assert.match(read('build.mjs'), new RegExp(`^  '?${program}'?: '.*main\\.ts',$`, 'm'))
    assert.ok(files.includes('dist/witness-check'))
    for (const unit of ['witnessd', 'witness-agent'])
      for (const script of [
        debian('postinst'),
        debian('prerm'),
        read('deploy/install.sh'),
        read('deploy/debian/rules'),
      ])
        assert.ok(script.includes(unit), unit)
  })
})

describe('the check', () => {
  const check = read('agent/check/witness-check')

  it('looks where the agent writes by default', () => {
    assert.match(check, new RegExp(`^STATE_DIR=${agent.stateDir}$`, 'm'))
    assert.ok(check.includes(`RUN_DIR=\${RUN_DIR:-${agent.runDir}}`))
  })

  it('takes the names that an instance may have, and no others', () => {
    assert.ok(check.includes("'' | [!A-Za-z0-9_]* | *[!A-Za-z0-9_.:@-]*)"))
    const every = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
    assert.equal(
      every.filter((letter) => instanceName.safeParse(`x${letter}`).success).join(''),
      '-.0123456789:@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz',
    )
    assert.equal(
      every.filter((letter) => instanceName.safeParse(`${letter}x`).success).join(''),
      '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz',
    )
  })

  it('takes every deadline that an agent may write', () => {
    const { reserveMs, renewMs } = timingSchema.shape
    const longest = (reserveMs.maxValue ?? Infinity) + (renewMs.maxValue ?? Infinity)
    assert.match(check, new RegExp(`^MAX_AHEAD_MS=${longest}$`, 'm'))
  })
})

describe('the manual pages', () => {
  /** What the page says after "Default:" of a key. */
  function defaults(page: string): ReadonlyMap<string, string> {
    const text = read(`deploy/man/${page}`).replaceAll('\\-', '-')
    return new Map(
      text.split('.TP\n').flatMap((entry): [string, string][] => {
        const [head = '', ...rest] = entry.split('\n')
        const [, said] = /Default: (.*?)(?:[.,]( |$)|$)/m.exec(rest.join('\n')) ?? []
        const [, chosen] = /^\.B (\w+)\n\(default\)/m.exec(rest.join('\n')) ?? []
        const value = said ?? chosen
        const key = head.replace(/^\.B[RI]* /, '').split(' ')[0] ?? ''
        return value === undefined ? [] : [[key, value]]
      }),
    )
  }
  const said = (value: unknown): string =>
    value === null
      ? 'none'
      : Array.isArray(value)
        ? `[${value.join(', ')}]`
        : typeof value === 'string' || typeof value === 'number'
          ? String(value)
          : JSON.stringify(value)

  it('have each default of agent.yaml', () => {
    const page = defaults('agent.yaml.5')
    const values: Readonly<Record<string, unknown>> = {
      ...agent,
      ...agent.keepalived,
      listen: `${agent.listen.address}:${agent.listen.port}`,
    }
    const keys = ['listen', 'mode', 'fence', 'alone', 'rejoin', 'gateway', 'stateDir', 'runDir', 'logLevel']
    const ofKeepalived = ['config', 'pidFile', 'program', 'dumpFile', 'stopCommand', 'startCommand']
    for (const key of [...keys, ...ofKeepalived, 'lastResortCommand'])
      assert.equal(page.get(key)?.replace(/^\[(.*)$/, '[$1'), manual(said(values[key])), key)
  })

  /** A list has commas, at which the reading of a default ends. */
  const manual = (value: string): string => (value.startsWith('[') ? (value.split(',')[0] ?? '') : value)

  it('have each default of witness.yaml', () => {
    const page = defaults('witness.yaml.5')
    const values: Readonly<Record<string, unknown>> = {
      ...server,
      listen: `${server.listen.host}:${server.listen.port}`,
    }
    for (const key of ['listen', 'dataDir', 'runDir', 'icmpIntervalMs', 'logLevel'])
      assert.equal(page.get(key), said(values[key]), key)
  })
})

describe('a limit', () => {
  const says = (file: string, text: string): void =>
    assert.ok(read(file).includes(text), `${file}: "${text}"`)

  it('is in the list of limits as the programs have it', () => {
    const limits = 'docs/operating/limits.md'
    assert.equal(maxNodes, 2)
    says(limits, 'each cluster has two nodes at most')
    says(limits, `At most ${maxInstances} instances on a node`)
    says(limits, 'at most 63 letters, digits and `_.:@-`')
    assert.ok(
      instanceName.safeParse('x'.repeat(63)).success && !instanceName.safeParse('x'.repeat(64)).success,
    )
    says(limits, `\`status\` shows the first ${maxVipsTold} of an instance`)
  })

  it('of an invite is the same in every document that names it', () => {
    const minutes = inviteMs / 60_000
    for (const file of ['README.md', 'README.zh-CN.md', 'docs/operating/install.md', 'docs/glossary.md'])
      assert.match(read(file), new RegExp(`\\b${minutes} (minutes|分钟)`), file)
    const named = found(/(\d+) min(?:utes)?\b(?=[^.\n]*(?:join|one use|invite|works once|boot))/g)
    assert.ok(named.length > 2)
  })

  it('of the events that are kept is the same in every document', () => {
    const kept = `${keptEvents} to ${2 * keptEvents}`
    says('docs/operating/events.md', kept)
    says('docs/reference/files.md', kept)
  })
})

describe('the Node.js that is needed', () => {
  it('is the same everywhere', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    const [, least = ''] = /^>=(\d+)$/.exec(engines.node) ?? []
    const recommended = read('.nvmrc').trim()
    for (const file of ['README.md', 'CONTRIBUTING.md'])
      assert.ok(read(file).includes(`Node.js ${least} or newer (${recommended} recommended`), file)
    assert.ok(read('README.zh-CN.md').includes(`Node.js ${least} 或更新（推荐 ${recommended}）`))
    assert.ok(read('build.mjs').includes(`target: 'node${least}'`))
    assert.match(read('.github/workflows/check.yml'), new RegExp(`node: \\[${least}, ${recommended}\\]`))
  })
})
