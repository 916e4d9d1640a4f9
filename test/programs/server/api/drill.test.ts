import assert from 'node:assert/strict'
import express from 'express'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClusterRuntime } from '../../../../server/clusters/runtime.ts'
import { drillApi } from '../../../../server/api/drill.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'

describe('the request for a drill', () => {
  let server: Server
  let identity: Identity | null
  let answer: ReturnType<ClusterRuntime['drill']>
  let asked: unknown[]

  beforeEach(async () => {
    identity = { kind: 'admin', name: 'local' }
    answer = { kind: 'begun', steps: [{ instance: 'VI_1', role: 'standby' }], afterEvent: 7 }
    asked = []
    const web = {
      drill: (wish: { node: string; includingHolder: boolean }) => {
        asked.push(wish)
        return answer
      },
    }
    const api = express()
    api.set('query parser', 'simple')
    api.use(
      drillApi({ clusters: { get: (name) => (name === 'web' ? web : null) }, identityOf: () => identity }),
    )
    server = createServer(api)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => void server.close())

  async function order(path = 'web/nodes/lb02/drill'): Promise<{ status: number; body: unknown }> {
    const { port } = server.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/clusters/${path}`, { method: 'POST' })
    return { status: response.status, body: await response.json() }
  }
  const detailOf = ({ body }: { body: unknown }): string => (body as { detail: string }).detail

  it('of an admin is handed on, and answered with what is drilled and where its events begin', async () => {
    assert.deepEqual(await order(), {
      status: 202,
      body: { node: 'lb02', steps: [{ instance: 'VI_1', role: 'standby' }], afterEvent: 7 },
    })
    await order('web/nodes/lb01/drill?including-holder=true')
    assert.deepEqual(asked, [
      { node: 'lb02', includingHolder: false },
      { node: 'lb01', includingHolder: true },
    ])
  })

  it('is forbidden to nodes, also for themselves, and to nobody', async () => {
    const others: (Identity | null)[] = [
      { kind: 'node', cluster: 'web', node: 'lb02', generation: 1 },
      { kind: 'witness' },
      null,
    ]
    for (const other of others) {
      identity = other
      const refused = await order()
      assert.equal(refused.status, 403)
      assert.match(detailOf(refused), /Only an admin/)
    }
    assert.deepEqual(asked, [])
  })

  it('is refused with the witness’s reason where it is not safe', async () => {
    answer = { kind: 'refused', text: 'VI_1: the agent of lb01 is not heard.' }
    const refused = await order()
    assert.equal(refused.status, 409)
    assert.equal(detailOf(refused), 'VI_1: the agent of lb01 is not heard.')
  })

  it('says what is wrong with its cluster or its query', async () => {
    assert.equal((await order('mail/nodes/lb02/drill')).status, 404)
    const wrong = await order('web/nodes/lb02/drill?including-holder=yes')
    assert.equal(wrong.status, 400)
    assert.match(detailOf(wrong), /including-holder is "yes"/)
  })
})
