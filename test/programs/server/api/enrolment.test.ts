import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import * as disk from 'node:fs/promises'
import { createServer, request, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { Occurrence } from '../../../../server/core/arbiter/occurrence.ts'
import { createEnrolmentRouter } from '../../../../server/api/enrolment.ts'
import { Registry } from '../../../../server/registry/registry.ts'
import { identityOf, type Identity } from '../../../../shared/identity/identity.ts'
import { parseInviteLine, type Invite } from '../../../../shared/identity/invite-line.ts'
import { makeKeyRequest } from '../../../../shared/identity/key-request.ts'
import { authority, nodeIdentity } from '../../../identities.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

const admin: Identity = { kind: 'admin', name: 'local' }

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

describe('enrolment-api', () => {
  const file = temporaryFolder()
  let server: Server
  let registry: Registry
  let asking: Identity | null
  let atMs: number
  let full: boolean
  let own: string | null
  let holder: string | null
  let events: { cluster: string; occurrence: Occurrence }[]
  let unknown: string[]
  let failures: unknown[]

  beforeEach(async () => {
    asking = admin
    atMs = 1000
    full = false
    own = '10.0.0.20:7400'
    holder = null
    events = []
    unknown = []
    failures = []
    registry = await Registry.open({
      folder: file(),
      authorityWasThere: false,
      bootId: 'boot-0001',
      nowMs: () => atMs,
      now: () => new Date(Date.UTC(2026, 0, 2)),
      onError: (error) => failures.push(error),
      fileSystem: {
        ...disk,
        readFile: (path, encoding) => disk.readFile(path, encoding),
        open: (path, flags, mode) =>
          full && flags === 'w'
            ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
            : disk.open(path, flags, mode),
      },
    })
    const app = express()
    app.use(
      createEnrolmentRouter({
        authority,
        registry,
        identityOf: () => asking,
        ownAddress: () => own,
        isConnected: ({ node }) => node === 'lb01',
        holdsLease: ({ node }) => node === holder,
        tell: (cluster, occurrence) => events.push({ cluster, occurrence }),
        onUnknownInvite: (from) => unknown.push(from),
        nowMs: () => atMs,
      }),
    )
    app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
      if (response.headersSent) {
        next(error)
        return
      }
      failures.push(error)
      const status = error instanceof Error && 'status' in error ? Number(error.status) : 500
      response.status(status).json({})
    })
    server = createServer(app)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => void server.close())

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    type = 'application/json',
  ): Promise<Answer> {
    const { port } = server.address() as AddressInfo
    const outgoing = request({ port, method, path, agent: false, headers: { 'content-type': type } })
    outgoing.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    const parsed: unknown = text === '' ? {} : JSON.parse(text)
    return { status: response.statusCode ?? 0, body: parsed as Answer['body'] }
  }
  async function invite(node = 'lb01'): Promise<Invite> {
    asking = admin
    const { status, body } = await ask('POST', '/api/v1/invites', { cluster: 'web', node })
    assert.equal(status, 201, JSON.stringify(body))
    return parseInviteLine(String(body.line))
  }
  async function join({ secret, node }: Pick<Invite, 'secret' | 'node'>, more: object = {}): Promise<Answer> {
    asking = null
    const { request: csr } = await makeKeyRequest()
    return ask('POST', '/api/v1/join', {
      cluster: 'web',
      node,
      secret,
      csr,
      port: 7401,
      address: null,
      ...more,
    })
  }
  function whom({ body }: Answer): Identity | null {
    return identityOf(new X509Certificate(String(body.certificate)))
  }
  function refused({ status, body }: Answer, expected: number, says: RegExp): void {
    assert.equal(status, expected, JSON.stringify(body))
    assert.match(String(body.detail), says)
    assert.equal(body.certificate, undefined)
  }
  const told = (): string[] => events.map(({ occurrence }) => occurrence.event)

  it('turns an invite into a certificate for the node that it names', async () => {
    const line = await invite()
    assert.deepEqual(
      { ...line, secret: '' },
      {
        address: '10.0.0.20:7400',
        fingerprint: authority.fingerprint,
        secret: '',
        cluster: 'web',
        node: 'lb01',
      },
    )
    const answer = await join(line)
    assert.equal(answer.status, 201)
    assert.deepEqual(whom(answer), nodeIdentity('lb01'))
    assert.deepEqual(registry.members('web'), [
      { name: 'lb01', address: '127.0.0.1', port: 7401, leastGeneration: 1 },
    ])
    assert.deepEqual(told(), ['invite-made', 'node-enrolled'])
    assert.ok(!JSON.stringify(events).includes(line.secret))
  })

  it('goes by the address that the node advertises, where it does', async () => {
    await join(await invite(), { address: '192.0.2.11', port: 7411 })
    assert.deepEqual(registry.members('web')[0]?.address, '192.0.2.11')
  })

  it('lets nobody advertise what the peer could not dial, and keeps the invite for a better word', async () => {
    const line = await invite()
    refused(await join(line, { address: '192.0.2.11:7411' }), 400, /address: an IP address .* and no port/)
    assert.equal((await join(line)).status, 201)
  })

  it('puts the address into the invite that the admin names, and asks for one that it cannot know', async () => {
    const body = { cluster: 'web', node: 'lb01', address: 'witness.example.org:7400' }
    const named = await ask('POST', '/api/v1/invites', body)
    assert.equal(parseInviteLine(String(named.body.line)).address, 'witness.example.org:7400')
    own = null
    refused(
      await ask('POST', '/api/v1/invites', { cluster: 'web', node: 'lb01' }),
      400,
      /--address HOST:PORT/,
    )
    refused(
      await ask('POST', '/api/v1/invites', { ...body, address: 'x' }),
      400,
      /address: HOST:PORT is expected/,
    )
  })

  it('refuses an invite that was used, with the reason and one event', async () => {
    const line = await invite()
    await join(line)
    events = []
    for (let attempt = 0; attempt < 3; attempt += 1) refused(await join(line), 403, /already used/)
    assert.deepEqual(told(), ['invite-refused'])
    assert.equal(events[0]?.occurrence.level, 'warning')
    assert.deepEqual(events[0].occurrence.evidence.reason, 'used')
    atMs += 60_000
    await join(line)
    assert.deepEqual(told(), ['invite-refused', 'invite-refused'])
  })

  it('refuses a late one, with the reason and an event', async () => {
    const line = await invite()
    atMs += 15 * 60_000
    refused(await join(line), 403, /expired 1 min ago/)
    assert.deepEqual(told(), ['invite-made', 'invite-refused'])
  })

  it('only counts secrets that it never gave out, or for another node: a stranger writes no events', async () => {
    const line = await invite()
    events = []
    refused(await join({ ...line, secret: 'A'.repeat(22) }), 403, /does not know this invite/)
    refused(await join({ ...line, node: 'lb02' }), 403, /is for web\/lb01/)
    assert.deepEqual(unknown, ['127.0.0.1', '127.0.0.1'])
    assert.deepEqual(events, [])
    assert.equal((await join(line)).status, 201, 'nothing was used up')
  })

  it('uses up no invite for a request that is none', async () => {
    const line = await invite()
    refused(await join(line, { csr: 'hello' }), 400, /not a certificate request/)
    refused(await join(line, { csr: 'x'.repeat(5000) }), 400, /csr/)
    assert.equal((await join(line)).status, 201)
  })

  it('gives one certificate to two that race for an invite', async () => {
    const line = await invite()
    const answers = await Promise.all([join(line), join(line), join(line)])
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 403, 403])
  })

  it('lets no certificate out while it cannot be kept', async () => {
    const line = await invite()
    full = true
    refused(await join(line), 503, /cannot write to its disk \(ENOSPC\).*retry/)
    full = false
    assert.equal((await join(line)).status, 201)
    full = true
    asking = nodeIdentity('lb01')
    const { request: csr } = await makeKeyRequest()
    refused(await ask('POST', '/api/v1/renew', { csr }), 503, /ENOSPC/)
  })

  it('says of a removal that cannot be kept that it counts, and for how long', async () => {
    await join(await invite())
    asking = admin
    full = true
    const path = '/api/v1/clusters/web/nodes/lb01/remove'
    refused(
      await ask('POST', path, {}),
      503,
      /lb01 is shut out from now on, but .* restart .* ENOSPC: .*free some space/,
    )
    assert.equal(registry.mayConnect(nodeIdentity('lb01')).kind, 'refused')
    assert.equal(told().at(-1), 'node-removed')
    full = false
    assert.equal((await ask('POST', path, {})).status, 200)
  })

  it('renews the certificate of the node that asks, and of no other', async () => {
    await join(await invite())
    const { request: csr } = await makeKeyRequest()
    asking = nodeIdentity('lb01')
    const renewed = await ask('POST', '/api/v1/renew', { csr })
    assert.equal(renewed.status, 201)
    assert.deepEqual(whom(renewed), nodeIdentity('lb01', { generation: 2 }))
    refused(await ask('POST', '/api/v1/renew', { csr }), 429, /just renewed/)
    refused(await ask('POST', '/api/v1/renew', { csr, node: 'lb02' }), 400, /node/)
    asking = nodeIdentity('lb02')
    refused(await ask('POST', '/api/v1/renew', { csr }), 403, /lb02 is not enrolled/)
    asking = admin
    refused(await ask('POST', '/api/v1/renew', { csr }), 403, /Only a node can renew/)
    asking = null
    refused(await ask('POST', '/api/v1/renew', { csr }), 401, /Only a node can renew/)
  })

  it('reads no body of those who may not send one, and ends their connection', async () => {
    await join(await invite())
    await registry.remove({ cluster: 'web', node: 'lb01' })
    const { port } = server.address() as AddressInfo
    const headers = { 'content-type': 'application/json', 'content-length': 100 }
    for (const [path, who, status] of [
      ['/api/v1/renew', null, 401],
      ['/api/v1/renew', admin, 403],
      ['/api/v1/renew', nodeIdentity('lb01'), 403],
      ['/api/v1/renew', nodeIdentity('lb02'), 403],
      ['/api/v1/invites', null, 401],
      ['/api/v1/clusters/web/nodes/lb01/remove', nodeIdentity('lb02'), 403],
    ] as const) {
      asking = who
      const outgoing = request({ port, method: 'POST', path, agent: false, headers })
      outgoing.on('error', () => undefined)
      outgoing.flushHeaders()
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      assert.deepEqual([response.statusCode, response.headers.connection], [status, 'close'], path)
      outgoing.destroy()
    }
    assert.deepEqual(failures, [])
  })

  it('lists nodes and open invites', async () => {
    await join(await invite())
    await invite('lb02')
    const { body } = await ask('GET', '/api/v1/nodes')
    const [node] = body.nodes as Record<string, unknown>[]
    assert.deepEqual([node?.node, node?.generation, node?.connected, node?.removed], ['lb01', 1, true, false])
    assert.deepEqual(body.invites, [{ cluster: 'web', node: 'lb02', endsInMs: 15 * 60_000 }])
    assert.equal(body.lostAt, null)
    assert.deepEqual((await ask('GET', '/api/v1/nodes?cluster=db')).body.nodes, [])
    refused(await ask('GET', '/api/v1/nodes?clutser=db'), 400, /clutser is not a parameter/)
  })

  it('does not remove the node that has the VIP, unless the admin means even that', async () => {
    await join(await invite())
    asking = admin
    holder = 'lb01'
    const path = '/api/v1/clusters/web/nodes/lb01/remove'
    refused(await ask('POST', path, {}), 409, /lb01 has the VIP now and would lose it.*--even-holder/)
    assert.equal(registry.entries[0]?.removed, false)
    assert.equal((await ask('POST', path, { evenHolder: true })).status, 200)
    assert.equal(registry.entries[0].removed, true)
  })

  describe('after a node was removed', () => {
    beforeEach(async () => {
      await join(await invite('lb01'))
      await join(await invite('lb02'))
      asking = admin
      assert.equal((await ask('POST', '/api/v1/clusters/web/nodes/lb02/remove', {})).status, 200)
    })

    it('lets its successor join once the node that stayed has the plan without it, and not before', async () => {
      const line = await invite('lb03')
      const joining = join(line)
      const early = await Promise.race([joining, setTimeout(300, null)])
      assert.equal(early, null, 'lb01 is connected, so it is worth waiting')
      registry.planSettled('web', { node: 'lb01', members: ['lb01'] })
      assert.equal((await joining).status, 201)
      assert.deepEqual(
        registry.members('web').map(({ name }) => name),
        ['lb01', 'lb03'],
      )
    })

    it('lets nobody new join while the pair may serve unseen, until the admin says that both hosts are off', async () => {
      const lb01 = '/api/v1/clusters/web/nodes/lb01/remove'
      assert.equal((await ask('POST', lb01, { isOff: ['lb02'] })).status, 200)
      const line = await invite('lb03')
      refused(await join(line), 403, /lb02 was removed, but lb01 .*--is-off lb02 --is-off lb01/)
      asking = admin
      assert.equal((await ask('POST', lb01, { isOff: ['lb01', 'lb02'] })).status, 200)
      assert.equal((await join(line)).status, 201, 'the refusal has not used the invite up')
    })
  })

  it('removes a node and asks one for a new key, and says so', async () => {
    await join(await invite())
    asking = admin
    const path = '/api/v1/clusters/web/nodes/lb01'
    assert.equal((await ask('POST', `${path}/rotate`)).status, 200)
    assert.ok(registry.renewalDue(nodeIdentity('lb01')))
    assert.equal((await ask('POST', `${path}/remove`, {})).status, 200)
    assert.equal(registry.mayConnect(nodeIdentity('lb01')).kind, 'refused')
    refused(await ask('POST', `${path}/rotate`), 409, /web\/lb01 was removed/)
    refused(await ask('POST', '/api/v1/clusters/web/nodes/lb09/remove'), 404, /never enrolled/)
    refused(await ask('POST', '/api/v1/clusters/..%2Fweb/nodes/lb01/remove'), 404, /does not name a node/)
    assert.deepEqual(told().slice(-2), ['rotation-asked', 'node-removed'])
  })

  it('lets nobody but an admin command', async () => {
    await join(await invite())
    const strangers: [Identity | null, number][] = [
      [null, 401],
      [nodeIdentity('lb01'), 403],
      [{ kind: 'witness' }, 403],
    ]
    for (const [identity, status] of strangers)
      for (const [method, path] of [
        ['POST', '/api/v1/invites'],
        ['GET', '/api/v1/nodes'],
        ['POST', '/api/v1/clusters/web/nodes/lb01/remove'],
        ['POST', '/api/v1/clusters/web/nodes/lb01/rotate'],
      ] as const) {
        asking = identity
        refused(await ask(method, path, method === 'GET' ? undefined : {}), status, /identity of an admin/)
      }
    assert.equal(registry.mayConnect(nodeIdentity('lb01')).kind, 'ok')
  })

  it('refuses a third node with the way out', async () => {
    await join(await invite())
    await join(await invite('lb02'))
    asking = admin
    const body = { cluster: 'web', node: 'lb03' }
    refused(await ask('POST', '/api/v1/invites', body), 409, /already has lb01 and lb02.*witnessctl remove/)
  })

  it('refuses bodies that are too long, not JSON, of another type, or of another shape', async () => {
    await join(await invite())
    asking = nodeIdentity('lb01')
    assert.equal((await ask('POST', '/api/v1/renew', ' '.repeat(20_000) + '{}')).status, 413)
    assert.equal((await ask('POST', '/api/v1/renew', '{')).status, 400)
    asking = null
    assert.equal((await ask('POST', '/api/v1/join', ' '.repeat(20_000) + '{}')).status, 413)
    assert.equal((await ask('POST', '/api/v1/join', '{')).status, 400)
    refused(await ask('POST', '/api/v1/join', '{}', 'text/plain'), 400, /cluster/)
    refused(await ask('POST', '/api/v1/join', { cluster: 'web' }), 400, /node/)
    refused(await join({ node: 'lb01', secret: 'A'.repeat(22) }, { extra: 1 }), 400, /extra/)
    refused(await join({ node: 'witness', secret: 'A'.repeat(22) }), 400, /reserved for the witness/)
    assert.deepEqual(unknown, [])
  })
})
