import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examine } from '../../../../agent/doctor/doctor.ts'
import type { Finding } from '../../../../agent/doctor/finding.ts'
import { bootClockMs, bootId } from '../../../../shared/boot-clock.ts'

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
