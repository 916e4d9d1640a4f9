import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CheckAnswer } from '../../../server/cluster-runtime.ts'
import type { ClusterView, EventView } from '../../../server/cluster-view.ts'
import { createApi } from '../../../server/http-api.ts'

const token = 'a-token-of-the-test-suite'
const view: ClusterView = {
  cluster: 'web',
  verdict: { level: 'ok', text: 'VI_1 is on lb01.' },
  instances: [],
  nodes: [],
  refusedMessages: { replayed: 2 },
}
const event: EventView = {
  id: 7,
  at: '2026-01-02T03:04:05.678Z',
  cluster: 'web',
  event: 'took-over',
  level: 'info',
  instance: 'VI_1',
  node: 'lb01',
  text: 'lb01 took over',
  evidence: { epoch: 7 },
  decision: 'granted',
}

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

describe('http-api', () => {
  let server: Server
  let ready: boolean
  let checkAnswer: CheckAnswer | Error
  let asked: unknown[]
  let errors: unknown[]
  let unauthenticated: string[]

  before(async () => {
    const web = {
      cluster: 'web',
      view: () => view,
      listEvents: (range: unknown) => {
        asked.push(range)
        return [event]
      },
      check: (question: unknown) => {
        asked.push(question)
        return checkAnswer instanceof Error ? Promise.reject(checkAnswer) : Promise.resolve(checkAnswer)
      },
      drill: (wish: { node: string; includingHolder: boolean }) => {
        asked.push(wish)
        return { kind: 'begun' as const, steps: [], afterEvent: 4 }
      },
    }
    server = createServer(
      createApi({
        token,
        version: '1.2.3',
        clusters: {
          get ready() {
            return ready
          },
          all: [web],
          get: (name) => (name === 'web' ? web : null),
        },
        refused: () => ({ malformed: 1 }),
        onError: (error) => errors.push(error),
        onUnauthenticated: (from) => unauthenticated.push(from),
      }),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => void server.close())
  beforeEach(() => {
    ready = true
    checkAnswer = { permit: true, text: 'lb01 has the lease' }
    asked = []
    errors = []
    unauthenticated = []
  })

  function ask(
    path: string,
    options: {
      method?: string
      headers?: Record<string, string>
      body?: string
      secret?: string | null
    } = {},
  ): Promise<Answer> {
    const { method = 'GET', headers = {}, body = '', secret = token } = options
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) => {
      const sent = request({
        port,
        path,
        method,
        agent: false,
        headers: { ...(secret === null ? {} : { authorization: `Bearer ${secret}` }), ...headers },
      })
      sent.on('error', reject)
      sent.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        )
      })
      sent.end(body)
    })
  }
  function problem(answer: Answer): { status: number; title: string; detail: string; type: string } {
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
    const parsed = JSON.parse(answer.body) as ReturnType<typeof problem>
    assert.equal(parsed.status, answer.status)
    assert.equal(parsed.type, 'about:blank')
    return parsed
  }

  it('tells whether it lives and whether it is ready, without a token', async () => {
    assert.equal((await ask('/healthz', { secret: null })).body, 'ok\n')
    assert.equal((await ask('/readyz', { secret: null })).status, 200)
    ready = false
    const answer = await ask('/readyz', { secret: null })
    assert.equal(answer.status, 503)
    assert.equal(problem(answer).title, 'Not ready')
  })

  it('tells nothing else without the token', async () => {
    for (const path of [
      '/api/v1/clusters',
      '/api/v1/clusters/web',
      '/api/v1/check?cluster=web',
      '/api/nowhere',
    ])
      for (const secret of [null, 'wrong-token-of-somebody', `${token}x`]) {
        const answer = await ask(path, { secret })
        assert.equal(answer.status, 401)
        assert.equal(answer.headers['www-authenticate'], 'Bearer')
        assert.doesNotMatch(JSON.stringify(problem(answer)), new RegExp(token))
      }
    assert.equal(unauthenticated.length, 12)
    assert.deepEqual(asked, [])
  })

  it('lists clusters with their verdicts and what was refused', async () => {
    assert.deepEqual(JSON.parse((await ask('/api/v1/clusters')).body), {
      version: '1.2.3',
      clusters: [{ cluster: 'web', verdict: view.verdict, instances: [] }],
      refused: { malformed: 1 },
    })
  })

  it('shows one cluster', async () => {
    const answer = await ask('/api/v1/clusters/web')
    assert.deepEqual(JSON.parse(answer.body), view)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.equal(answer.headers['x-powered-by'], undefined)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  })

  it('lists events by number and by id', async () => {
    assert.deepEqual(JSON.parse((await ask('/api/v1/clusters/web/events')).body), { events: [event] })
    await ask('/api/v1/clusters/web/events?limit=5&after=3')
    assert.deepEqual(asked, [
      { limit: 100, after: null },
      { limit: 5, after: 3 },
    ])
  })

  it('answers a check in words and in JSON, 200 for yes and 503 for no', async () => {
    const path = '/api/v1/check?cluster=web&node=lb01&instance=VI_1'
    const yes = await ask(path, { headers: { accept: '*/*' } })
    assert.equal(yes.status, 200)
    assert.equal(yes.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(yes.body, 'lb01 has the lease\n')
    checkAnswer = { permit: false, text: 'lb02 has the VIP' }
    const no = await ask(path, { headers: { accept: 'application/json' } })
    assert.equal(no.status, 503)
    assert.deepEqual(JSON.parse(no.body), { permit: false, reason: 'lb02 has the VIP' })
    assert.deepEqual(asked[0], { node: 'lb01', instance: 'VI_1', bootId: null })
  })

  it('hands on which boot of the host asks, where the check says so', async () => {
    const boot = '5f0f6c5e-4a1b-4c7e-9d55-0d6a0c2f7a11'
    const answer = await ask(`/api/v1/check?cluster=web&node=lb01&instance=VI_1&boot=${boot}`)
    assert.equal(answer.status, 200)
    assert.deepEqual(asked, [{ node: 'lb01', instance: 'VI_1', bootId: boot }])
  })

  it('says what is wrong with a query', async () => {
    for (const query of ['limit=0', 'limit=x', 'limit=5&limit=6', 'after=-1', 'color=red']) {
      const answer = await ask(`/api/v1/clusters/web/events?${query}`)
      assert.equal(answer.status, 400, query)
      assert.match(problem(answer).detail, /^(limit|after|color) is /)
    }
    assert.deepEqual(problem(await ask('/api/v1/clusters/web/events?limit=x')), {
      type: 'about:blank',
      title: 'Bad query',
      status: 400,
      detail: 'limit is "x": a whole number from 1 to 1000 is expected',
    })
    const answer = await ask('/api/v1/check?cluster=web&node=../../etc')
    assert.match(problem(answer).detail, /node is "..\/..\/etc": letters, digits.*; instance is missing/)
    const shortBoot = await ask('/api/v1/check?cluster=web&node=lb01&instance=VI_1&boot=x')
    assert.equal(problem(shortBoot).detail, 'boot is "x": 8 to 64 characters are expected')
    assert.deepEqual(asked, [])
  })

  it('does not know other clusters, and no other paths', async () => {
    for (const path of [
      '/api/v1/clusters/mail',
      '/api/v1/clusters/mail/events',
      '/api/v1/check?cluster=mail&node=lb01&instance=VI_1',
      '/',
      '/api/v2',
    ]) {
      const answer = await ask(path)
      assert.equal(answer.status, 404, path)
      problem(answer)
    }
  })

  it('takes nothing but reading, and no bodies', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await ask('/api/v1/clusters', { method, body: '{}' })
      assert.equal(answer.status, 405, method)
      assert.equal(answer.headers.allow, 'GET, HEAD')
      problem(answer)
    }
    const answer = await ask('/api/v1/clusters', { headers: { 'content-length': '2' }, body: '{}' })
    assert.equal(answer.status, 413)
  })

  it('takes a path that is no UTF-8 for a bad request, and a failure of its own for one', async () => {
    assert.equal(problem(await ask('/api/v1/clusters/%ff')).status, 400)
    checkAnswer = new Error('a secret detail')
    const answer = await ask('/api/v1/check?cluster=web&node=lb01&instance=VI_1')
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.body, /secret/)
    assert.equal(errors.length, 1)
  })
})
