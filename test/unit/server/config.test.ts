import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedConfig, loadWitnessConfig, type WitnessConfig } from '../../../server/config.ts'
import { ConfigError } from '../../../shared/host/config-file.ts'
import { defaultTiming } from '../../../shared/core/timing.ts'

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
      icmpIntervalMs: 1000,
      logLevel: 'info',
      clusters: new Map(),
    })
  })

  it('reads what differs in the timing of clusters', () => {
    const config = load(`
listen: "[::1]:7500"
dataDir: /srv/witness
clusters:
  web:
    timing: { reserveMs: 2900 }
`)
    assert.deepEqual(config.listen, { host: '::1', port: 7500 })
    assert.deepEqual(config.clusters.get('web'), {
      timing: { ...defaultTiming, reserveMs: 2900 },
    })
  })

  it('says where a mistake stands, at any depth', () => {
    assert.deepEqual(mistakes('listn: 0.0.0.0:7400\n'), ['1:1: listn: unknown option; did you mean listen?'])
    assert.deepEqual(mistakes('clusters:\n  web:\n    timing: { leasems: 5 }\n'), [
      '3:15: clusters.web.timing.leasems: unknown option; did you mean leaseMs?',
    ])
  })

  it('refuses timing that breaks an inequality, with its numbers', () => {
    const [line] = mistakes('clusters:\n  web:\n    timing: { reserveMs: 1500 }\n')
    assert.match(
      line ?? '',
      /^3:13: clusters\.web\.timing: timing breaks E1: reserveMs 1500 must be at least 1857/,
    )
  })

  it('refuses addresses that are none', () => {
    for (const listen of ['7400', 'localhost', '::1:7400', '0.0.0.0:99999'])
      assert.match(mistakes(`listen: "${listen}"\n`)[0] ?? '', /^1:9: listen: ".*" is not address:port/)
  })

  it('starts without a configuration in a folder of this user', () => {
    const env = { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }
    const own = embeddedConfig(env, () => false)
    assert.equal(own.dataDir, '/home/ada/.local/state/keepalived-witness')
    assert.equal(own.runDir, '/run/user/1000/keepalived-witness.run')
    const system = embeddedConfig(env, () => true)
    assert.equal(system.dataDir, '/var/lib/keepalived-witness')
    assert.equal(system.runDir, '/run/keepalived-witnessd')
  })
})
