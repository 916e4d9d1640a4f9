import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../../../../shared/host/command.ts'
import { keepalivedOrSkip } from '../../../fixtures/keepalived-in-namespace.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const conf = `vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    virtual_ipaddress {
        10.0.0.100/24
    }
}
`
const keyword = 'net_namespace blue\n'

describe('a keepalived in a network namespace of its own', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()

  for (const { how, text, option } of [
    { how: '-s NAME', text: conf, option: '-s blue' },
    { how: 'net_namespace', text: keyword + conf, option: '' },
  ])
    it(`by ${how} is neither absent while it lives, nor dead for certain when it left its VIP there`, async function () {
      const program = keepalivedOrSkip(this)
      const config = folder('keepalived.conf')
      writeFileSync(config, text)
      const looking = join(import.meta.dirname, 'looking.ts')
      const script = `mount -t tmpfs tmpfs /run && ip link set lo up && ip netns add blue && \
ip -n blue link set lo up && ip -n blue link add eth0 type bridge && ip -n blue link set eth0 up && \
ip -n blue addr add 10.0.0.11/24 dev eth0 || exit 9
${program} -n -l -D ${option} -f ${config} > ${folder('log')} 2>&1 &
for i in $(seq 100); do ip -n blue -br addr | grep -q 10.0.0.100 && break; sleep 0.1; done
exec ${process.execPath} --import tsx ${looking} ${config} $! blue`
      const { error, stdout } = await runCommand(
        ['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', script],
        { timeoutMs: 25_000 },
      )
      assert.equal(error, null)
      const { before, after, addresses } = JSON.parse(stdout) as {
        before: Record<string, unknown>
        after: Record<string, unknown>
        addresses: string
      }
      assert.deepEqual([before.state, before.elsewhere], ['unknown', true])
      assert.match(addresses, /10\.0\.0\.100/, 'the VIP is still there')
      assert.deepEqual([after.state, after.elsewhere, after.died], ['unknown', true, false])
    })
})
