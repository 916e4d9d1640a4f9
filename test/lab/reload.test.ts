/**
 * keepalived reads its configuration again in another order than at its start: it knows at its start which user scripts
 * have by default, and after a reload only if that user exists or is named before it is needed. Here keepalived itself
 * shows that the product's lines still work after a reload.
 */
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instance, vip } from './address-plan.ts'
import { agentConfig } from './daemon-config.ts'
import { configBefore } from './keepalived-config.ts'
import { reloadKeepalived, startKeepalived, writeKeepalivedScripts } from './keepalived-service.ts'
import { LabFolder } from './lab-folder.ts'
import { buildProduct } from './lab-programs.ts'
import { labMount, NamespaceHost, productMount } from './namespace-host.ts'
import { pause, until } from './pause.ts'
import { assertPrerequisites } from './prerequisites.ts'

const name = 'lb01'
const conf = `${labMount}/${name}/keepalived.conf`
/** Where both the shipped example and setup look for it by default. */
const check = '/usr/libexec/keepalived/witness-check'
const checkRuns = '/run/check-runs'
const fifo = '/run/keepalived-witness/notify.fifo'
const fifoLines = '/run/fifo-lines'
/** Of a program of the admin's. */
const ownFifo = '/run/own.fifo'
const ownLines = '/run/own-lines'
const bar = `/run/keepalived-witness/${instance}.bar`
const example = join(import.meta.dirname, '../../deploy/examples/keepalived.conf')

/** The user that keepalived runs scripts as if nothing else is said. */
const user = 'keepalived_script'

/** A host with an interface, with or without the user, whose check notes that it runs. */
const install = (hasUser: boolean): string => `
for file in passwd group; do
    grep -v '^${user}:' /etc/$file >/run/$file
    mount --bind /run/$file /etc/$file
done
${
  hasUser
    ? `echo '${user}:x:971:971::/:/usr/sbin/nologin' >>/run/passwd
echo '${user}:x:971:' >>/run/group`
    : ''
}
ip link add eth0 type veth peer name cable
ip address add 10.0.0.11/24 dev eth0
ip link set eth0 up
ip link set cable up
mount -t tmpfs -o mode=755 tmpfs /usr/libexec
mkdir -p ${check.slice(0, check.lastIndexOf('/'))} /run/keepalived-witness
printf '#!/bin/sh\\necho ran >>${checkRuns}\\n' >${check}
chmod 755 ${check}
echo 0 >${bar}
mkfifo -m 600 ${fifo}
: >${checkRuns}
mkfifo -m 600 ${ownFifo}
# Opened for writing, too, so that it does not end when keepalived closes its end.
setsid -f sh -c 'exec cat <>${fifo} >${fifoLines}' </dev/null >/dev/null 2>&1
`

/** It is asked whether it happens, not how fast; a busy machine takes its time. */
const patienceMs = 20_000

describe('the product’s lines after a reload of keepalived', function () {
  this.timeout(120_000)
  let product: string
  const hosts: NamespaceHost[] = []
  const folders: LabFolder[] = []

  before(async () => {
    assertPrerequisites()
    product = await buildProduct()
  })

  after(async () => {
    await Promise.all(hosts.map((host) => host.end()))
    for (const folder of folders) folder.remove()
  })

  async function boot(hasUser: boolean): Promise<{ host: NamespaceHost; folder: string }> {
    const folder = new LabFolder('memory')
    folders.push(folder)
    const own = folder.folder(name)
    writeKeepalivedScripts({
      ...{ folder: own, hostFolder: `${labMount}/${name}` },
      ...{ stopCommand: 'works', pidFiles: 'usual', configId: null, processors: 'common' },
    })
    writeFileSync(join(own, 'agent.yaml'), agentConfig(name, { gateway: false, configId: null }))
    const host = await NamespaceHost.boot({ name, labFolder: folder.path, productFolder: product })
    hosts.push(host)
    await host.shell(install(hasUser))
    return { host, folder: own }
  }

  const hasVip = async (host: NamespaceHost): Promise<boolean> =>
    (await host.run('ip', '-o', 'address', 'show', 'dev', 'eth0')).includes(` ${vip}/`)

  async function lines(host: NamespaceHost, path: string): Promise<readonly string[]> {
    return (await host.run('cat', path)).split('\n').filter((line) => line !== '')
  }

  async function worksAfterReload(host: NamespaceHost): Promise<void> {
    await startKeepalived(host)
    await until('the VIP is there', { withinMs: patienceMs, everyMs: 100 }, async () =>
      (await hasVip(host)) ? true : null,
    )
    await reloadKeepalived(host)
    // A reload takes less than a second; the check runs once a second.
    await pause(1500)
    const before = (await lines(host, checkRuns)).length
    const told = (await lines(host, fifoLines)).length
    await until('keepalived runs the check', { withinMs: patienceMs, everyMs: 100 }, async () =>
      (await lines(host, checkRuns)).length > before ? true : null,
    )

    await host.shell(`echo 1 >${bar}`)
    await until(
      'the bar puts keepalived into FAULT, and the VIP goes',
      { withinMs: patienceMs, everyMs: 50 },
      async () => ((await hasVip(host)) ? null : true),
    )
    await host.shell(`echo 0 >${bar}`)
    await until('the FIFO tells of FAULT and of BACKUP', { withinMs: patienceMs, everyMs: 50 }, async () => {
      const news = (await lines(host, fifoLines)).slice(told).join('\n')
      return news.includes(`INSTANCE "${instance}" FAULT`) && news.includes(`INSTANCE "${instance}" BACKUP`)
        ? true
        : null
    })
  }

  async function setUp(host: NamespaceHost, folder: string, before: string): Promise<void> {
    writeFileSync(join(folder, 'keepalived.conf'), before)
    await host.run(
      process.execPath,
      ...[`${productMount}/witness-agent.cjs`, '--config', `${labMount}/${name}/agent.yaml`],
      ...['setup', '--apply', '--keepalived-config', conf, '--check-program', check],
    )
  }

  for (const hasUser of [true, false]) {
    const which = `with${hasUser ? '' : 'out'} a user ${user}`

    it(`work as setup adds them, ${which}`, async () => {
      const { host, folder } = await boot(hasUser)
      await setUp(host, folder, configBefore(name))
      await worksAfterReload(host)
    })

    it(`work as setup adds them beside a FIFO of the admin’s, ${which}`, async () => {
      const { host, folder } = await boot(hasUser)
      await setUp(host, folder, `global_defs {\n    vrrp_notify_fifo ${ownFifo}\n}\n${configBefore(name)}`)
      await host.shell(`setsid -f sh -c 'exec cat <>${ownFifo} >${ownLines}' </dev/null >/dev/null 2>&1`)
      await worksAfterReload(host)
      assert.match((await lines(host, ownLines)).join('\n'), new RegExp(`INSTANCE "${instance}" FAULT`))
    })

    it(`work as the shipped example has them, ${which}`, async () => {
      const { host, folder } = await boot(hasUser)
      copyFileSync(example, join(folder, 'keepalived.conf'))
      await worksAfterReload(host)
    })
  }
})
