import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import type { ClusterRuntime } from '../../../../server/clusters/runtime.ts'
import type { ClusterView, EventView } from '../../../../shared/protocol/view.ts'
import { drillApi } from '../../../../server/api/drill.ts'
import { createEnrolmentRouter } from '../../../../server/api/enrolment.ts'
import { createApi } from '../../../../server/api/http.ts'
import { Registry } from '../../../../server/registry/registry.ts'
import { witnessctl } from '../../../../server/witnessctl/witnessctl.ts'
import { identityFileIn, writeCredentials } from '../../../../shared/identity/credentials.ts'
import { parseInviteLine } from '../../../../shared/identity/invite-line.ts'
import { identityOfPeer } from '../../../../shared/network/secure-server.ts'
import {
  adminCredentials,
  authority,
  credentialsOf,
  foreignAuthority,
  lb01Credentials,
  nodeIdentity,
  witnessCredentials,
} from '../../../identities.ts'
import { cluster, event } from '../../../unit/server/witnessctl/example-views.ts'

describe('witnessctl', () => {
  let folder = ''
  let admin = ''
  let registry: Registry
  let url = ''
  let server: Server
  let views: ClusterView[]
  let events: EventView[]
  let onList: () => void
  let drill: ClusterRuntime['drill']

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'witnessctl-'))
    admin = join(folder, 'admin')
    writeCredentials(admin, adminCredentials)
    registry = await Registry.open({
      folder: join(folder, 'authority'),
      authorityWasThere: false,
      bootId: 'boot-0001',
      nowMs: () => 0,
      now: () => new Date(Date.UTC(2026, 0, 2)),
      onError: (error) => assert.fail(error),
    })
    views = [cluster()]
    events = [event(1), event(2)]
    onList = () => undefined
    drill = () => ({ kind: 'refused', text: 'not asked for here' })
    const runtime = (
      view: ClusterView,
    ): NonNullable<ReturnType<Parameters<typeof createApi>[0]['clusters']['get']>> &
      Pick<ClusterRuntime, 'drill'> => ({
      cluster: view.cluster,
      view: () => view,
      listEvents: ({ limit, after }) => {
        onList()
        const mine = events.filter((one) => one.cluster === view.cluster)
        return after === null ? mine.slice(-limit) : mine.filter(({ id }) => id > after).slice(0, limit)
      },
      check: () => Promise.reject(new Error('not asked for here')),
      drill: (wish) => drill(wish),
    })
    server = createServer(
      {
        key: witnessCredentials.key,
        cert: witnessCredentials.certificate,
        ca: authority.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      express().use(
        drillApi({
          clusters: { get: (name) => views.filter((view) => view.cluster === name).map(runtime)[0] ?? null },
          identityOf: ({ socket }) => identityOfPeer(socket),
        }),
        createEnrolmentRouter({
          authority,
          registry,
          identityOf: ({ socket }) => identityOfPeer(socket),
          ownAddress: () => '10.0.0.20:7400',
          isConnected: ({ node }) => node === 'lb01',
          holdsLease: () => false,
          tell: () => undefined,
          onUnknownInvite: () => undefined,
          nowMs: () => 0,
        }),
        createApi({
          callerOf: ({ socket }) => identityOfPeer(socket),
          version: 'test',
          commands: [],
          clusters: {
            ready: true,
            get all() {
              return views.map(runtime)
            },
            get: (name) => views.filter((view) => view.cluster === name).map(runtime)[0] ?? null,
          },
          refused: () => ({ malformed: 3 }),
          onError: () => undefined,
          onRefused: () => undefined,
        }),
      ),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })

  interface Run {
    code: number
    out: string
    err: string
  }
  async function run(
    args: string[],
    {
      env = {},
      stopped = new AbortController().signal,
      onOut = null as ((text: string) => void) | null,
    } = {},
  ): Promise<Run> {
    const result: Run = { code: -1, out: '', err: '' }
    result.code = await witnessctl(args, {
      env: { KEEPALIVED_WITNESS_URL: url, KEEPALIVED_WITNESS_IDENTITY: admin, ...env },
      version: '1.2.3',
      terminal: {
        out: (text) => {
          result.out += text
          onOut?.(result.out)
        },
        err: (text) => void (result.err += text),
        isTty: false,
      },
      stopped,
    })
    return result
  }

  it('shows every cluster, data on stdout', async () => {
    views = [cluster(), cluster({ cluster: 'mail' })]
    const { code, out, err } = await run(['status'])
    assert.equal(code, 0)
    assert.match(out, /^OK {2}web: [^]*^OK {2}mail: /m)
    assert.equal(err, '')
  })

  it('ends with 1 for a warning and 3 for danger, the worst cluster counts', async () => {
    views = [cluster({ verdict: { level: 'warning', text: 'w' } }), cluster({ cluster: 'mail' })]
    assert.equal((await run(['status'])).code, 1)
    assert.equal((await run(['status', 'mail'])).code, 0)
    views = [...views, cluster({ cluster: 'db', verdict: { level: 'critical', text: 'c' } })]
    assert.equal((await run(['status'])).code, 2)
    assert.equal((await run(['status', '--json', 'web'])).code, 1)
  })

  it('prints JSON for programs', async () => {
    const one = await run(['status', 'web', '--json'])
    assert.deepEqual(JSON.parse(one.out), cluster())
    const all = await run(['status', '--json'])
    assert.deepEqual(JSON.parse(all.out), {
      version: 'test',
      clusters: [cluster()],
      refused: { malformed: 3 },
    })
  })

  it('says when nothing is known yet', async () => {
    views = []
    const { code, out, err } = await run(['status'])
    assert.equal(code, 1)
    assert.equal(out, '')
    assert.match(err, /does not know any cluster yet/)
  })

  it('lists events, oldest first, over all clusters', async () => {
    views = [cluster(), cluster({ cluster: 'mail' })]
    events = [event(1), event(3), event(2, { cluster: 'mail', level: 'info', decision: null })]
    const { code, out } = await run(['events'])
    assert.equal(code, 0)
    assert.deepEqual(out.split('\n'), [
      '2026-01-02 03:04:01.000Z  critical  web lb02 VI_1  fenced: fence 1 proved [lb01 announces]',
      '2026-01-02 03:04:02.000Z  info      mail lb02 VI_1  fenced: fence 2 proved',
      '2026-01-02 03:04:03.000Z  critical  web lb02 VI_1  fenced: fence 3 proved [lb01 announces]',
      '',
    ])
    assert.equal((await run(['events', '--limit', '1'])).out.split('\n').length, 2)
    const json = (await run(['events', 'web', '--json'])).out.trim().split('\n')
    assert.deepEqual(
      json.map((line) => JSON.parse(line) as unknown),
      [event(1), event(3)],
    )
  })

  it('follows events until it is stopped, each once', async () => {
    const stop = new AbortController()
    let lists = 0
    onList = () => {
      lists += 1
      if (lists === 2) events.push(event(3))
    }
    const { code, out } = await run(['events', 'web', '--follow'], {
      stopped: stop.signal,
      onOut: (text) => {
        if (text.includes('fence 3')) stop.abort()
      },
    })
    assert.equal(code, 0)
    assert.deepEqual(
      [...out.matchAll(/fence (\d)/g)].map(([, id]) => id),
      ['1', '2', '3'],
    )
  })

  it('ends with 3 when the witness cannot be reached', async () => {
    const gone = await run(['status', '--url', 'https://127.0.0.1:9'])
    assert.equal(gone.code, 3)
    assert.match(
      gone.err,
      /cannot be reached \(.+\)\. Check that witnessd is running there and that --url is right\./,
    )
    assert.equal(gone.out, '')
  })

  it('ends with 3 when the other end is not the witness of this identity, and commands nothing there', async () => {
    const stranger = join(folder, 'stranger')
    writeCredentials(stranger, await credentialsOf({ kind: 'admin', name: 'local' }, foreignAuthority))
    const foreign = await run(['--identity', stranger, 'invite', '--cluster', 'web', '--node', 'lb01'])
    assert.equal(foreign.code, 3)
    assert.match(foreign.err, /is not the witness that .*stranger belongs to.*Check --url/)
    assert.deepEqual(registry.openInvites, [])
    server.setSecureContext({
      key: lb01Credentials.key,
      cert: lb01Credentials.certificate,
      ca: authority.certificatePem,
    })
    const node = await run(['status'])
    assert.equal(node.code, 3)
    assert.match(node.err, /its certificate is that of node web\/lb01, not that of the witness/)
  })

  it('ends with 3 for the identity of a node: a node commands nothing', async () => {
    const node = join(folder, 'node')
    writeCredentials(node, lb01Credentials)
    const { code, err } = await run(['--identity', node, 'nodes'])
    assert.equal(code, 3)
    assert.match(err, /is the identity of node web\/lb01, but witnessctl needs that of an admin/)
  })

  it('ends with 3 when what listens there does not speak as a witness', async () => {
    const other = createServer(
      { key: witnessCredentials.key, cert: witnessCredentials.certificate },
      (_, response) => response.end('<html>'),
    )
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, err } = await run(['status', '--url', `https://127.0.0.1:${port}`])
    other.closeAllConnections()
    other.close()
    assert.equal(code, 3)
    assert.match(err, /Check that a witness of the same version listens there/)
  })

  it('prints an invite alone on stdout, and what to do with it on stderr', async () => {
    const { code, out, err } = await run(['invite', '--cluster', 'web', '--node', 'lb01'])
    assert.equal(code, 0)
    assert.match(out, /^kw1\.\S+\n$/)
    const line = parseInviteLine(out)
    assert.deepEqual([line.cluster, line.node, line.address], ['web', 'lb01', '10.0.0.20:7400'])
    assert.match(err, /On lb01, run "witness-agent join" and paste this line there within 15 min/)
    assert.ok(!err.includes(line.secret))
    const named = [
      'invite',
      '--cluster',
      'web',
      '--node',
      'lb01',
      '--address',
      '[2001:db8::1]:7400',
      '--json',
    ]
    const json = JSON.parse((await run(named)).out) as { line: string; address: string }
    assert.equal(json.address, '[2001:db8::1]:7400')
    assert.equal(parseInviteLine(json.line).address, '[2001:db8::1]:7400')
  })

  it('lists, rotates and removes nodes', async () => {
    const empty = await run(['nodes'])
    assert.deepEqual([empty.code, empty.out], [0, ''])
    assert.match(empty.err, /no node is enrolled/)
    for (const node of ['lb01', 'lb02']) {
      const invite = await registry.invite({ cluster: 'web', node })
      assert.ok(invite.kind === 'done')
      const { secret } = invite
      await registry.redeem({ cluster: 'web', node, secret, address: '10.0.0.11', port: 7401 })
    }
    await run(['invite', '--cluster', 'mail', '--node', 'mx01'])
    assert.deepEqual((await run(['nodes'])).out.split('\n'), [
      'cluster  node  state          address         certificate  enrolled    renewed',
      'web      lb01  connected      10.0.0.11:7401  1            2026-01-02  2026-01-02',
      'web      lb02  not connected  10.0.0.11:7401  1            2026-01-02  2026-01-02',
      'An invite for mail/mx01 is valid for another 15 min.',
      '',
    ])
    const one = await run(['rotate', '--cluster', 'web', '--node', 'lb01'])
    assert.deepEqual([one.code, registry.renewalDue(nodeIdentity('lb01'))], [0, true])
    assert.match((await run(['rotate', '--all'])).err, /web\/lb02: .*it is not connected now/)
    assert.ok(registry.renewalDue(nodeIdentity('lb02')))
    const removed = await run(['remove', '--cluster', 'web', '--node', 'lb02'])
    assert.equal(removed.code, 0)
    assert.match(removed.err, /web\/lb02 is removed: its connections are closed/)
    assert.equal(registry.mayConnect(nodeIdentity('lb02')).kind, 'refused')
    const list = await run(['nodes', 'web'])
    assert.match(list.out, /lb01 .* 1, new key requested/)
    assert.match(list.out, /lb02 {2}removed/)
    const json = JSON.parse((await run(['nodes', '--json'])).out) as { nodes: { node: string }[] }
    assert.deepEqual(
      json.nodes.map(({ node }) => node),
      ['lb01', 'lb02'],
    )
  })

  it('ends with 3 for mistakes, and says on stderr what to do', async () => {
    chmodSync(identityFileIn(admin), 0o644)
    assert.match((await run(['status'])).err, /chmod 600/)
    chmodSync(identityFileIn(admin), 0o600)
    for (const args of [
      ['status', 'mail'],
      ['status', '--colour'],
      ['nonsense'],
      ['events', '--limit', '0'],
      ['--url', 'ftp://x', 'status'],
      ['--identity', '/nonexistent', 'status'],
      ['--url', 'http://127.0.0.1:7400', 'status'],
      ['invite', '--cluster', 'web'],
      ['invite', '--cluster', 'web', '--node', 'witness'],
      ['invite', '--cluster', 'a/b', '--node', 'lb01'],
      ['invite', '--cluster', 'web', '--node', 'lb01', '--address', '10.0.0.20'],
      ['remove', '--cluster', 'web', '--node', 'lb09'],
      ['rotate', '--cluster', 'web', '--node', 'lb09'],
      ['rotate', '--cluster', 'web'],
      ['rotate', '--node', 'lb01', '--all'],
      ['rotate'],
      [],
    ]) {
      const { code, out, err } = await run(args)
      assert.equal(code, 3, args.join(' '))
      assert.equal(out, '')
      assert.ok(err.length > 10, args.join(' '))
    }
    const { code, err } = await run(['status'], { env: { KEEPALIVED_WITNESS_URL: 'nowhere' } })
    assert.equal(code, 3)
    assert.match(err, /KEEPALIVED_WITNESS_URL: "nowhere" is not the URL of a witness/)
  })

  it('documents its exit codes', async () => {
    const { code, out } = await run(['--help'])
    assert.equal(code, 0)
    assert.match(out, /0 all is well; 1 .*\(warning\);\s+2 .*\(critical\);\s+3 unknown/)
    assert.equal((await run(['--version'])).out, '1.2.3\n')
  })
})
