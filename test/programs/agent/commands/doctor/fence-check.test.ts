import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { runCommand } from '../../../../../shared/host/command.ts'
import { checkAnnouncement, checkFenceCommands } from '../../../../../agent/commands/doctor/fence-check.ts'
import { profile } from '../../../../unit/agent/core/guard/guard-fixture.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

/** `sh` is on every host that runs these tests; what systemd says is this test's. */
const systemd =
  (stdout: string, error: string | null = null): typeof runCommand =>
  () =>
    Promise.resolve({ error, stdout, stderr: '' })
const loaded = 'LoadState=loaded\nActiveState=active\nMainPID=42\n'

async function verdictsOf(
  stopCommand: readonly string[],
  run: typeof runCommand,
  pid: number | null = 42,
): Promise<string[]> {
  const commands = { stopCommand, startCommand: ['sh'], lastResortCommand: null }
  const findings = await checkFenceCommands(commands, pid, run)
  return findings.map(({ verdict, text }) => `${verdict}: ${text}`)
}

describe('the doctor looks at the commands of a fence', () => {
  const folder = temporaryFolder()

  it('and runs none of them', async () => {
    const ran: (readonly string[])[] = []
    const run: typeof runCommand = (argv) => {
      ran.push(argv)
      return Promise.resolve({ error: null, stdout: loaded, stderr: '' })
    }
    await checkFenceCommands(
      { stopCommand: ['sh', 'stop'], startCommand: ['sh', 'start'], lastResortCommand: ['sh', 'reboot'] },
      42,
      run,
    )
    assert.deepEqual(ran, [])
  })

  it('and misses a program that is not there', async () => {
    const [line] = await verdictsOf(['no-such-program-here', 'stop'], systemd(loaded))
    assert.match(line ?? '', /^FAIL: .*no program "no-such-program-here"/)
  })

  it('and knows a unit that is not the keepalived that runs', async () => {
    // It is looked for and not run, so a host without systemd has it, too.
    writeFileSync(folder('systemctl'), '', { mode: 0o755 })
    const stop = [folder('systemctl'), 'stop', 'keepalived']
    const [there] = await verdictsOf(stop, systemd(loaded))
    assert.match(there ?? '', /^ok: .*unit keepalived is active/)
    const [other] = await verdictsOf(stop, systemd(loaded), 43)
    assert.match(other ?? '', /^FAIL: .*pid 43.*does not belong to unit keepalived.*pid 42/)
    const [unknown] = await verdictsOf(
      stop,
      systemd('LoadState=not-found\nActiveState=inactive\nMainPID=0\n'),
    )
    assert.match(unknown ?? '', /^FAIL: .*has no unit keepalived/)
    const [silent] = await verdictsOf(stop, systemd('', 'no bus'))
    assert.match(silent ?? '', /^FAIL: .*systemd does not answer \(no bus\)/)
  })

  it('and at those of the announcement, by kind of address', () => {
    const profiles = [{ ...profile, vips: ['10.0.0.100/24', 'fd00::1/64'] }]
    assert.equal(checkAnnouncement(profiles, () => ['sh'])[0]?.verdict, 'ok')
    const [finding] = checkAnnouncement(profiles, ({ address }) => (address.includes(':') ? null : ['sh']))
    assert.equal(finding?.verdict, 'warn')
    assert.match(finding.text, /^fd00::1\/64 cannot be announced/)
    assert.doesNotMatch(finding.remedy ?? '', /arping/)
  })
})
