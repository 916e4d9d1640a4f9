import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examine } from '../../../../../agent/commands/doctor/doctor.ts'
import type { Finding } from '../../../../../agent/commands/doctor/finding.ts'
import { bootClockMs, bootId } from '../../../../../shared/host/boot-clock.ts'

const around = {
  bootId: bootId(),
  bootMs: bootClockMs,
  uptimeMs: bootClockMs,
  monotonicMs: () => performance.now(),
  wallMs: () => 0,
  pauseMs: (durationMs: number) => new Promise<void>((resolve) => setTimeout(resolve, durationMs)),
}

describe('the doctor', function () {
  this.timeout(20_000)
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function configure(text: string): Promise<readonly Finding[]> {
    const path = join(folder, 'agent.yaml')
    writeFileSync(path, text)
    return examine(path, around)
  }

  it('says each mistake of agent.yaml with its place, and looks no further', async () => {
    const findings = await configure('cluster: web\nnode: lb01\nwitness: nowhere\nfence: perhaps\n')
    assert.deepEqual(
      findings.map(({ check, verdict }) => `${verdict} ${check}`),
      ['FAIL agent.yaml', 'FAIL agent.yaml'],
    )
    assert.match(findings[0]?.text ?? '', /agent\.yaml:3/)
  })

  it('runs the check that keepalived runs, and nothing out of a comment', async () => {
    for (const name of ['old', 'new']) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'witness-check'), `#!/bin/sh\ntouch ${folder}/ran-${name}\n`, {
        mode: 0o755,
      })
    }
    writeFileSync(
      join(folder, 'keepalived.conf'),
      `# script "${folder}/old/witness-check VI_1"\ninclude check.conf\n`,
    )
    writeFileSync(
      join(folder, 'check.conf'),
      `vrrp_script witness_VI_1 {\n script "${folder}/new/witness-check VI_1"\n}\n`,
    )
    const findings = await configure(
      `cluster: web\nnode: lb01\nwitness: https://127.0.0.1:7400\nstateDir: ${folder}\nrunDir: ${folder}\nkeepalived:\n  config: ${folder}/keepalived.conf\n  pidFile: ${folder}/keepalived.pid\n`,
    )
    assert.equal(findings.find(({ check }) => check === 'check-time')?.verdict, 'ok')
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('ran-')),
      ['ran-new'],
    )
  })

  it('on a bare host fails what is missing, each once with its remedy, and changes nothing', async () => {
    const stateDir = join(folder, 'state')
    mkdirSync(stateDir)
    const findings = await configure(
      `cluster: web\nnode: lb01\nwitness: https://127.0.0.1:7400\nstateDir: ${stateDir}\nrunDir: ${folder}/run\nkeepalived:\n  config: ${folder}/keepalived.conf\n  pidFile: ${folder}/keepalived.pid\n`,
    )
    const failed = findings.filter(({ verdict }) => verdict === 'FAIL')
    const checks = failed.map(({ check }) => check)
    for (const check of ['identity', 'agent', 'keepalived', 'keepalived.conf', 'fifo', 'bar'])
      assert.equal(checks.filter((each) => each === check).length, 1, check)
    assert.ok(failed.every(({ remedy }) => remedy !== null && remedy !== ''))
    assert.equal(findings[0]?.verdict, 'ok')
    assert.deepEqual(readdirSync(stateDir), [])
  })
})
