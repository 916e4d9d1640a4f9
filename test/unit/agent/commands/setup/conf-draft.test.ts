import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { draftApply, draftUndo } from '../../../../../agent/commands/setup/conf-draft.ts'
import { SetupError } from '../../../../../agent/commands/setup/error.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'
import { instance } from '../../../../fixtures/keepalived-confs.ts'

describe('a draft of keepalived.conf', () => {
  const folder = temporaryFolder()
  const path = () => folder('keepalived.conf')
  const options = () => ({
    path: path(),
    configId: 'me',
    runDir: '/run/keepalived-witness',
    checkProgram: '/usr/libexec/keepalived/witness-check',
    stateDir: null,
    advised: false,
    tellsPriorities: true,
  })
  const apply = (text: string) => {
    writeFileSync(path(), text, 'latin1')
    return draftApply(options())
  }

  it('is made anew each time: what setup wrote for another run folder goes', () => {
    const [first] = apply(instance('VI_1')).changes
    writeFileSync(path(), first!.to, 'latin1')
    const moved = draftApply({ ...options(), runDir: '/run/elsewhere' }).changes[0]!.to
    assert.ok(!moved.includes('/run/keepalived-witness/'))
    assert.match(moved, /file \/run\/elsewhere\/VI_1\.bar/)
    assert.equal(draftUndo(options()).changes[0]?.to, instance('VI_1'))
  })

  it('names places by the lines of the file as it is', () => {
    const text = `${instance('VI_1')}global_defs {\n vrrp_notify_fifo /run/mine\n notify_fifo /run/too\n}\n`
    const [missing] = apply(text).missing
    assert.match(missing?.text ?? '', /keepalived\.conf:11: vrrp_notify_fifo is \/run\/mine/)
  })

  it('is refused where there is nothing to protect', () => {
    assert.throws(() => apply('global_defs {\n}\n'), /it has no vrrp_instance/)
  })

  it('is refused where no instance can be protected, with the line and the remedy of each', () => {
    assert.throws(
      () => apply(`${instance('10.0.0.0/24')}${instance('"web and mail"', '', 52)}`),
      /no vrrp_instance can be protected, so nothing was changed:\n {2}.*keepalived\.conf:1: vrrp_instance "10\.0\.0\.0\/24" is NOT protected.*; rename the instance on both nodes\n {2}.*keepalived\.conf:10: vrrp_instance "web and mail" is NOT protected/,
    )
  })

  it('is refused where setup’s own lines would be read differently, and changes nothing', () => {
    // The brace comes out of the name's definition, which setup uses in the names of its own blocks.
    const text = `$N=VI_1 {\n${instance('$N').replace('$N {', '$N')}`
    assert.throws(
      () => apply(text),
      (cause) => cause instanceof SetupError && cause.message.includes('so nothing was changed'),
    )
  })

  it('is refused where a brace is misplaced, and says which one', () => {
    assert.throws(
      () => apply(`${instance('VI_1')}}\n`),
      /keepalived\.conf:\d+: keepalived ignores this "}", because no block is open; remove it\. Setup does not write/,
    )
  })

  it('has nothing to undo where setup added nothing', () => {
    writeFileSync(path(), instance('VI_1'))
    assert.deepEqual(draftUndo(options()).changes, [])
  })
})
