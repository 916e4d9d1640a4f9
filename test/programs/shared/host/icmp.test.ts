import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { echo } from '../../../../shared/host/icmp.ts'

describe('icmp', () => {
  const path = process.env.PATH
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'icmp-'))))
  afterEach(() => {
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  })

  /** Puts a script in the place of ping(8). */
  function pretendPing(body: string): void {
    writeFileSync(join(folder, 'ping'), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, 'ping'), 0o755)
    process.env.PATH = `${folder}:${path}`
  }

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  it('reads the round trip of an answer', async () => {
    pretendPing(`echo "PING 10.0.0.11 (10.0.0.11) 56(84) bytes of data."
echo "64 bytes from 10.0.0.11: icmp_seq=1 ttl=64 time=0.254 ms"
echo
echo "--- 10.0.0.11 ping statistics ---"
echo "1 packets transmitted, 1 received, 0% packet loss, time 0ms"
echo "rtt min/avg/max/mdev = 0.254/0.254/0.254/0.000 ms"`)
    assert.deepEqual(await echo('10.0.0.11'), { kind: 'answered', roundTripMs: 0.254 })
  })

  it('tells silence from being unable to ask', async () => {
    pretendPing('echo "PING 10.0.0.11 (10.0.0.11) 56(84) bytes of data."; exit 1')
    assert.deepEqual(await echo('10.0.0.11'), { kind: 'silent' })
    pretendPing('echo "ping: connect: Network is unreachable" >&2; exit 2')
    assert.deepEqual(await echo('10.0.0.11'), { kind: 'silent' })
    pretendPing('echo "ping: socket: Operation not permitted" >&2; exit 2')
    assert.deepEqual(await echo('10.0.0.11'), {
      kind: 'impossible',
      why: 'ping: socket: Operation not permitted',
    })
  })

  it('is unable to ask without a ping program', async () => {
    process.env.PATH = folder
    assert.deepEqual(await echo('10.0.0.11'), {
      kind: 'impossible',
      why: 'the program ping cannot be started (spawn ping ENOENT); install it (Debian: iputils-ping)',
    })
  })

  it('survives an answer that its parser cannot read', async () => {
    pretendPing('echo nonsense')
    assert.match(JSON.stringify(await echo('10.0.0.11')), /impossible.*cannot be understood/)
  })

  it('asks for English', async () => {
    pretendPing(`echo "$LC_ALL" > ${folder}/locale`)
    process.env.LC_ALL = 'de_DE.UTF-8'
    await echo('10.0.0.11')
    assert.equal(readFileSync(join(folder, 'locale'), 'utf8'), 'C\n')
  })

  it('never takes an address for an option', async () => {
    pretendPing(`printf "%s " "$@" > ${folder}/arguments`)
    await echo('-f')
    assert.match(readFileSync(join(folder, 'arguments'), 'utf8'), / -- -f $/)
  })

  it('kills a hung child, and starts no second one beside it', async () => {
    pretendPing(`echo $$ > ${folder}/pid; trap "" TERM; exec sleep 60`)
    const hung = echo('10.0.0.11')
    assert.match(JSON.stringify(await echo('10.0.0.11')), /has not ended yet/)
    assert.deepEqual(await hung, { kind: 'silent' })
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    // The signal is sent; the kernel may take a moment to end the process.
    while (isAlive(pid)) await new Promise(setImmediate)
    pretendPing('exit 1')
    assert.deepEqual(await echo('10.0.0.11'), { kind: 'silent' })
  })
})
