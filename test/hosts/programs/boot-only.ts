/** Boots the hosts, reports that, and waits to be ended, for the test of what is left after that. */
import { setTimeout as wait } from 'node:timers/promises'
import { baseImage } from '../base-image.ts'
import { HostsLab } from '../hosts-lab.ts'

process.on('SIGINT', () => process.exit(130))
await HostsLab.install(await baseImage(() => undefined))
process.stdout.write('up\n')
for (;;) await wait(3_600_000)
