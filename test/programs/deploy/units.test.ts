import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { programOrSkip } from '../../skip-aloud.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

const deploy = new URL('../../../deploy/debian', import.meta.url).pathname
const unitFile = (name: string): string => join(deploy, `keepalived-witness.${name}.service`)
const settings = (name: string): string[] =>
  readFileSync(unitFile(name), 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]\w+=/.test(line))

describe('the units', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()

  /** `systemd-analyze` goes by the name of the file. */
  function analysed(name: string, program: string, ...args: string[]): string {
    cpSync(unitFile(name), folder(`${name}.service`))
    const { stdout, stderr } = spawnSync(program, [...args, folder(`${name}.service`)], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_PAGER: '' },
    })
    return stdout + stderr
  }

  for (const { name, atMost } of [
    { name: 'witnessd', atMost: 2 },
    { name: 'witness-agent', atMost: 3.6 },
  ])
    it(`exposes ${name} by ${atMost} at most, as systemd counts`, function () {
      const told = analysed(name, programOrSkip(this, 'systemd-analyze'), 'security', '--offline=true')
      const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(told) ?? []
      assert.ok(Number(exposure) <= atMost, told.split('\n').at(-2))
    })

  it('have no setting that systemd does not know', function () {
    const program = programOrSkip(this, 'systemd-analyze')
    for (const name of ['witnessd', 'witness-agent'])
      assert.doesNotMatch(
        analysed(name, program, 'verify', '--man=no', '--recursive-errors=no'),
        /Unknown|Invalid|Failed to parse/,
      )
  })

  it('keep the agent in the /proc that keepalived and its check see', () => {
    // Each of them gives a service in a container the boot id of the machine around it: every permit is then foreign.
    for (const setting of ['ProtectKernelTunables', 'ProtectControlGroups', 'ProtectProc', 'ProcSubset'])
      assert.deepEqual(
        settings('witness-agent').filter((line) => line.startsWith(`${setting}=`)),
        [],
      )
    assert.ok(settings('witness-agent').includes('ReadOnlyPaths=/proc/sys /sys'))
  })

  it('bind neither keepalived nor the agent to the other: an order only', () => {
    const bonds = /^(Requires|Requisite|BindsTo|PartOf|Wants|Conflicts|PropagatesStopTo|Upholds|OnFailure)=/
    assert.deepEqual(
      settings('witness-agent').filter((line) => bonds.test(line)),
      [],
    )
    assert.ok(settings('witness-agent').includes('Before=keepalived.service'))
    assert.ok(settings('witness-agent').includes('KillMode=process'))
    // A start of keepalived waits for the agent no longer than this.
    assert.ok(settings('witness-agent').includes('TimeoutStartSec=10s'))
  })

  it('let witnessd ping every node of as many clusters as may be cut off at once', () => {
    // A ping of a silent node is a process for up to 1.5 s, and each is asked every second.
    const [, most = '0'] = /^TasksMax=(\d+)$/m.exec(settings('witnessd').join('\n')) ?? []
    assert.ok(Number(most) >= 1000 * 1.5, `TasksMax=${most}`)
  })

  it('start both again whatever ended them, and watch that they decide', () => {
    for (const name of ['witnessd', 'witness-agent']) {
      const all = settings(name)
      for (const setting of [
        'Type=notify',
        'NotifyAccess=all',
        'Restart=always',
        'StartLimitIntervalSec=0',
        'WatchdogSec=20s',
      ])
        assert.ok(all.includes(setting), `${name}: ${setting}`)
    }
  })
})
