import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedConfig, loadWitnessConfig, type WitnessConfig } from '../../../server/config.ts'
import { ConfigError } from '../../../shared/config-file.ts'
import { defaultTiming } from '../../../shared/timing.ts'

describe('config of the witness', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'witness-config-'))
    path = join(folder, 'witness.yaml')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function load(text: string): WitnessConfig {
    writeFileSync(path, text)
    return loadWitnessConfig(path)
  }
  function mistakes(text: string): readonly string[] {
    try {
      load(text)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.lines.map((line) => line.replace(`${path}:`, ''))
    }
    return []
  }

  it('has a default for everything', () => {
    assert.deepEqual(load(''), {
      listen: { host: '0.0.0.0', port: 7400 },
      dataDir: '/var/lib/keepalived-witness',
      runDir: '/run/keepalived-witnessd',
      tokenFile: '/var/lib/keepalived-witness/token',
      makeToken: false,
      admit: false,
      icmpIntervalMs: 1000,
      logLevel: 'info',
      clusters: new Map(),
    })
  })

  it('reads clusters, their nodes and what differs in their timing', () => {
    const config = load(`
listen: "[::1]:7500"
dataDir: /srv/witness
clusters:
  web:
    timing: { reserveMs: 2900 }
    nodes:
      lb01: { address: 10.0.0.11, port: 7411 }
      lb02: { address: 10.0.0.12 }
`)
    assert.deepEqual(config.listen, { host: '::1', port: 7500 })
    assert.equal(config.tokenFile, '/srv/witness/token')
    assert.deepEqual(config.clusters.get('web'), {
      timing: { ...defaultTiming, reserveMs: 2900 },
      members: [
        { name: 'lb01', address: '10.0.0.11', port: 7411 },
        { name: 'lb02', address: '10.0.0.12', port: 7401 },
      ],
    })
  })

  it('says where a mistake stands, at any depth', () => {
    assert.deepEqual(
      mistakes(
        'clusters:\n  web:\n    nodes:\n      lb01: { adress: 10.0.0.11 }\n      lb02: { address: b, port: 0 }\n',
      ),
      [
        '4:13: clusters.web.nodes.lb01.address: missing: a text is expected: add it',
        '4:15: clusters.web.nodes.lb01.adress: unknown option; did you mean address?',
        '5:33: clusters.web.nodes.lb02.port: 0 is too small: at least 1',
      ],
    )
    assert.deepEqual(mistakes('admitt: true\n'), ['1:1: admitt: unknown option; did you mean admit?'])
    assert.deepEqual(mistakes('admit: true\nclusters:\n  web:\n    timing: { leasems: 5 }\n'), [
      '4:15: clusters.web.timing.leasems: unknown option; did you mean leaseMs?',
    ])
  })

  it('refuses timing that breaks an inequality, with its numbers', () => {
    const [line] = mistakes(
      'clusters:\n  web:\n    timing: { reserveMs: 1500 }\n    nodes: { lb01: { address: a } }\n',
    )
    assert.match(
      line ?? '',
      /^3:13: clusters\.web\.timing: timing breaks E1: reserveMs 1500 must be at least 1857/,
    )
  })

  it('refuses a third node', () => {
    const [line] = mistakes(
      'clusters:\n  web:\n    nodes:\n      a: { address: a }\n      b: { address: b }\n      c: { address: c }\n',
    )
    assert.equal(line, '4:7: clusters.web.nodes: 3 nodes: a cluster has 2 at most: remove c')
  })

  it('refuses a cluster that nobody could ever join', () => {
    assert.deepEqual(mistakes('clusters:\n  web: {}\n'), [
      '2:8: clusters.web: no nodes: list them under "nodes", or set "admit: true" to learn them from their agents',
    ])
    assert.deepEqual(mistakes('admit: true\nclusters:\n  web: {}\n'), [])
  })

  it('refuses addresses that are none and the name of the witness', () => {
    for (const listen of ['7400', 'localhost', '::1:7400', '0.0.0.0:99999'])
      assert.match(mistakes(`listen: "${listen}"\n`)[0] ?? '', /^1:9: listen: ".*" is not address:port/)
    assert.match(
      mistakes('clusters:\n  web:\n    nodes:\n      witness: { address: a }\n')[0] ?? '',
      /^4:7: clusters\.web\.nodes\.witness: .*"witness" is the witness's own name/,
    )
  })

  it('starts without a configuration in a folder of this user', () => {
    const env = { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }
    const own = embeddedConfig(env, () => false)
    assert.equal(own.admit, true)
    assert.equal(own.makeToken, true)
    assert.equal(own.dataDir, '/home/ada/.local/state/keepalived-witness')
    assert.equal(own.tokenFile, '/home/ada/.local/state/keepalived-witness/token')
    assert.equal(own.runDir, '/run/user/1000/keepalived-witness.run')
    const system = embeddedConfig(env, () => true)
    assert.equal(system.dataDir, '/var/lib/keepalived-witness')
    assert.equal(system.runDir, '/run/keepalived-witnessd')
  })
})
