import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { AnnouncementQueue, mostAtOnce } from '../../../../agent/fence/announcement-queue.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('AnnouncementQueue', () => {
  const folder = temporaryFolder()
  let queue: AnnouncementQueue
  beforeEach(() => (queue = new AnnouncementQueue()))
  afterEach(() => queue.close())

  /** Like arping it sends at once, and stays for a second. How long it sleeps marks it in the process table. */
  const program = (staysS: string): string => {
    const path = folder('announce')
    writeFileSync(path, `#!/bin/sh\necho "$*" >> ${folder('sent')}\nexec sleep ${staysS}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const sent = (): string[] =>
    existsSync(folder('sent')) ? readFileSync(folder('sent'), 'utf8').trim().split('\n') : []
  const addresses = (count: number): string[] =>
    Array.from({ length: count }, (_, at) => `10.77.${at >> 8}.${at & 255}`)

  it('sends 512 announcements by one program that it starts, a bounded number at once', async function () {
    this.timeout(60_000)
    const path = program('1.0703125')
    let most = 0
    let started = 0
    const onChild = (): void => void (started += 1)
    subscribe('child_process', onChild)
    queue.add(addresses(512).map((address) => [path, 'eth0', address]))
    assert.equal(started, 0, 'nothing is started while the caller waits')
    await eventually(
      'all were sent',
      () => {
        most = Math.max(most, running('1.0703125'))
        return sent().length === 512
      },
      40_000,
    )
    unsubscribe('child_process', onChild)
    assert.equal(started, 1)
    assert.deepEqual(new Set(sent()), new Set(addresses(512).map((address) => `eth0 ${address}`)))
    assert.ok(most > 1 && most <= mostAtOnce, `${most} at once`)
  })

  it('sends once what is asked for again before it was sent', async () => {
    const path = program('0.01')
    for (let again = 0; again < 500; again += 1) queue.add([[path, 'eth0', '10.77.0.1']])
    await eventually('it was sent', () => sent().length > 0)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.deepEqual(sent(), ['eth0 10.77.0.1'])
  })

  it('takes the words as they are: nothing of them is evaluated', async () => {
    const path = program('0.01')
    queue.add([[path, '*', '$(reboot);`id`']])
    await eventually('it was sent', () => sent().length > 0)
    assert.deepEqual(sent(), ['* $(reboot);`id`'])
  })

  it('goes on after a program that does not exist', async () => {
    queue.add([['/nonexistent/arping', 'eth0', '10.77.0.1']])
    await new Promise((resolve) => setTimeout(resolve, 100))
    queue.add([[program('0.01'), 'eth0', '10.77.0.2']])
    await eventually('the next one was sent', () => sent().length > 0)
  })
})

/** How many processes sleep for that long. */
function running(staysS: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`sleep\0${staysS}`)
    } catch {
      return false
    }
  }).length
}
