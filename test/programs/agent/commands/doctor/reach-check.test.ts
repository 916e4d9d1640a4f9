import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { checkPeer, checkWitness } from '../../../../../agent/commands/doctor/reach-check.ts'
import type { Credentials } from '../../../../../shared/identity/credentials.ts'
import type { Identity } from '../../../../../shared/identity/identity.ts'
import type { Authority } from '../../../../../server/registry/authority.ts'
import { authority, credentialsOf, foreignAuthority } from '../../../../identities.ts'

const lb01: Identity = { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 }
const lb02: Identity = { kind: 'node', cluster: 'web', node: 'lb02', generation: 1 }
const nowMs = Date.UTC(2026, 10, 21)
const view = {
  nodes: [
    { node: 'lb01', connected: true, warnings: [], lastDrill: { at: '2026-11-20T00:00:00.000Z' } },
    { node: 'lb02', connected: true, warnings: [] },
  ],
}

describe('the doctor asks', () => {
  let own: Credentials
  const servers: Server[] = []

  before(async () => {
    own = await credentialsOf(lb01)
  })
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  /** @returns its port */
  async function listen(
    as: Identity,
    answer: { status: number; body: unknown; date?: string } = { status: 200, body: view },
    by: Authority = authority,
  ): Promise<number> {
    const { key, certificate, authority: ca } = await credentialsOf(as, by)
    const server = createServer(
      { key, cert: certificate, ca, requestCert: true, minVersion: 'TLSv1.3' },
      (_request, response) => {
        response.setHeader('date', answer.date ?? new Date(nowMs).toUTCString())
        response.statusCode = answer.status
        response.end(JSON.stringify(answer.body))
      },
    )
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  describe('the witness, which', () => {
    const ask = async (port: number, credentials = own): Promise<string[]> => {
      const asked = { witness: `https://127.0.0.1:${port}`, cluster: 'web', node: 'lb01', credentials, nowMs }
      const findings = await checkWitness(asked)
      return findings.map(({ check, verdict, text }) => `${verdict} ${check}: ${text}`)
    }

    it('hears this node, and knows of its drill', async () => {
      const lines = await ask(await listen({ kind: 'witness' }))
      assert.deepEqual(
        lines.map((line) => line.split(':')[0]),
        ['ok witness', 'ok heartbeat', 'ok wall-clock', 'ok drill'],
      )
    })

    it('does not hear this node, warns of it, or never drilled it', async () => {
      const nodes = [{ node: 'lb01', connected: false, warnings: ['keepalived never runs the check'] }]
      const lines = await ask(await listen({ kind: 'witness' }, { status: 200, body: { nodes } }))
      assert.ok(lines.some((line) => line.startsWith('FAIL heartbeat')))
      assert.ok(lines.includes('warn agent-warning: keepalived never runs the check'))
      assert.ok(lines.some((line) => line.startsWith('warn drill') && line.includes('never been tested')))
    })

    it('has another wall clock, which is only a hint', async () => {
      const date = new Date(nowMs + 3_600_000).toUTCString()
      const lines = await ask(await listen({ kind: 'witness' }, { status: 200, body: view, date }))
      assert.ok(lines.some((line) => line.startsWith('warn wall-clock: the wall clock is 3600 s behind')))
    })

    it('is somebody else of the same authority', async () => {
      const [line] = await ask(await listen(lb02))
      assert.match(
        line ?? '',
        /^FAIL witness: .*its certificate is that of node web\/lb02, not that of the witness/,
      )
    })

    it('is of another authority', async () => {
      const [line] = await ask(await listen({ kind: 'witness' }, undefined, foreignAuthority))
      assert.match(line ?? '', /^FAIL witness: .*certificate/)
    })

    it('refuses, in its own words', async () => {
      const body = { detail: 'This node was removed.' }
      const [line] = await ask(await listen({ kind: 'witness' }, { status: 403, body }))
      assert.match(line ?? '', /^FAIL witness: .*HTTP 403: This node was removed\.$/)
    })

    it('is not there', async () => {
      const port = await listen({ kind: 'witness' })
      servers.splice(0).forEach((server) => server.close())
      const [line] = await ask(port)
      assert.match(line ?? '', /^FAIL witness: .*ECONNREFUSED/)
    })
  })

  describe('the peer, which', () => {
    const ask = async (port: number): Promise<string> => {
      const peer = { name: 'lb02', address: '127.0.0.1', port, leastGeneration: 1 }
      const { verdict, text } = await checkPeer({ peer, cluster: 'web', credentials: own })
      return `${verdict}: ${text}`
    }

    it('answers as itself', async () => {
      assert.match(await ask(await listen(lb02)), /^ok: .*is lb02 and answered in/)
    })

    it('is another node, or of another cluster', async () => {
      assert.match(await ask(await listen(lb01)), /^FAIL: .*this is node web\/lb01, not the peer web\/lb02/)
      const foreign: Identity = { kind: 'node', cluster: 'mail', node: 'lb02', generation: 1 }
      assert.match(await ask(await listen(foreign)), /^FAIL: .*this is node mail\/lb02, not the peer/)
    })

    it('is not there, or not known yet', async () => {
      const port = await listen(lb02)
      servers.splice(0).forEach((server) => server.close())
      assert.match(await ask(port), /^FAIL: .*ECONNREFUSED/)
      const unknown = await checkPeer({ peer: null, cluster: 'web', credentials: own })
      assert.equal(unknown.verdict, 'warn')
    })
  })
})
