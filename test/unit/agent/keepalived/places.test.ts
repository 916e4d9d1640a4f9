import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { readProcessKeywords } from '../../../../agent/keepalived-conf/process-keywords.ts'
import { keepalivedPlaces } from '../../../../agent/keepalived/places.ts'
import { usualPidFile } from '../../../../agent/keepalived/usual-paths.ts'
import { agentConfigSchema } from '../../../../agent/config.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('where keepalived is looked for', () => {
  const folder = temporaryFolder()
  const places = (
    conf: string,
    options: { pidFile?: string; vrrpPidFile?: string } = {},
  ): ReturnType<typeof keepalivedPlaces> => {
    const config = folder('keepalived.conf')
    writeFileSync(config, conf)
    return keepalivedPlaces(
      { config, pidFile: usualPidFile, vrrpPidFile: null, ...options },
      readProcessKeywords(config, null),
    )
  }

  it('is where keepalived writes its pid files by default, in the words of each version', () => {
    const { pidFile, vrrpPidFiles, searchFor } = places('')
    assert.equal(pidFile, '/run/keepalived.pid')
    assert.deepEqual(vrrpPidFiles, ['/run/vrrp.pid', '/run/keepalived_vrrp.pid'])
    assert.equal(searchFor, folder('keepalived.conf'))
    const { keepalived } = agentConfigSchema.parse({ cluster: 'c', node: 'a', witness: 'https://w:7400' })
    assert.equal(keepalived.pidFile, usualPidFile)
  })

  it('follows use_pid_dir, net_namespace and instance', () => {
    for (const keyword of ['use_pid_dir', 'net_namespace blue']) {
      const { pidFile, vrrpPidFiles } = places(`${keyword}\n`)
      assert.equal(pidFile, '/run/keepalived/keepalived.pid')
      assert.deepEqual(vrrpPidFiles, ['/run/keepalived/vrrp.pid'])
    }
    const { pidFile, vrrpPidFiles } = places('instance web\n')
    assert.equal(pidFile, '/run/keepalived/keepalived_web.pid')
    assert.deepEqual(vrrpPidFiles, ['/run/keepalived/vrrp_web.pid'])
  })

  it('is where agent.yaml says, whatever keepalived.conf says', () => {
    const told = places('use_pid_dir\n', { pidFile: '/srv/k.pid', vrrpPidFile: '/srv/v.pid' })
    assert.equal(told.pidFile, '/srv/k.pid')
    assert.deepEqual(told.vrrpPidFiles, ['/srv/v.pid'])
    assert.equal(told.searchFor, null)
    assert.deepEqual(places('', { pidFile: '/srv/k.pid' }).vrrpPidFiles, [
      '/srv/vrrp.pid',
      '/srv/keepalived_vrrp.pid',
    ])
  })

  it('knows the names of the processes, as far as the kernel keeps them', () => {
    const { names } = places(
      'global_defs {\n process_name parent\n vrrp_process_name a-rather-long-name\n checker_process_name checker\n}\n',
    )
    assert.equal(names.parent, 'parent')
    assert.equal(names.vrrp, 'a-rather-long-n')
    assert.ok(names.others.includes('checker'))
  })

  it('is the usual place where keepalived.conf cannot be read', () => {
    assert.equal(places('vrrp_instance {').pidFile, usualPidFile)
  })
})
