/** Runs the rung of SIGKILL in the network namespace of this process: killing.ts FOLDER DEVICE ADDRESS… */
import { FenceRungs } from '../../../../agent/fence/rungs.ts'
import { listAddresses } from '../../../../agent/keepalived/kernel-addresses.ts'
import { vipOn } from '../../../fixtures/vips.ts'

const [, , folder = '', device = '', ...vips] = process.argv

const rungs = new FenceRungs(
  {
    stopCommand: ['true'],
    startCommand: ['true'],
    lastResortCommand: null,
    places: () => ({
      pidFile: `${folder}/keepalived.pid`,
      vrrpPidFiles: [`${folder}/vrrp.pid`],
      names: { parent: null, vrrp: null, others: [] },
      searchFor: null,
    }),
  },
  (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
)
const failure = await rungs.kill(
  vips.map((vip) => vipOn(device, vip)),
  { spares: false },
)
const listed = await listAddresses()
const addresses = 'error' in listed ? [] : listed.addresses
const left = addresses.filter((each) => each.device === device && !each.address.startsWith('fe80:'))
process.stdout.write(JSON.stringify({ failure, addresses: left.map(({ address }) => address) }))
