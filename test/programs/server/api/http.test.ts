import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CheckAnswer } from '../../../../server/clusters/runtime.ts'
import type { ClusterView, EventView } from '../../../../shared/protocol/view.ts'
import { createApi } from '../../../../server/api/http.ts'
import type { Identity } from '../../../../shared/identity/identity.ts'

/** Who a request is from, by a header: what TLS says of the caller is tried in witness.test.ts. */
const callers: Readonly<Record<string, Identity>> = {
  admin: { kind: 'admin', name: 'local' },
  lb01: { kind: 'node', cluster: 'web', node: 'lb01', generation: 1 },
  stranger: { kind: 'node', cluster: 'mail', node: 'lb01', generation: 1 },
  witness: { kind: 'witness' },
}
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
  let turnedAway: unknown[]

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
        callerOf: ({ headers }) => callers[String(headers['x-caller'])] ?? null,
        version: '1.2.3',
        commands: [],
        clusters: {
          get ready() {
            return ready
          },
          all: [web],
          get: (name) => (name === 'web' ? web : null),
        },
        refused: () => ({ malformed: 1 }),
        onError: (error) => errors.push(error),
        onRefused: (kind, facts) => turnedAway.push({ kind, ...facts }),
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
    turnedAway = []
  })

  function ask(
    path: string,
    options: {
      method?: string
      headers?: Record<string, string>
      body?: string
      by?: string | null
    } = {},
  ): Promise<Answer> {
    const { method = 'GET', headers = {}, body = '', by = 'admin' } = options
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) => {
      const sent = request({
        port,
        path,
        method,
        agent: false,
        headers: { ...(by === null ? {} : { 'x-caller': by }), ...headers },
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

  it('tells whether it lives and whether it is ready, to anybody', async () => {
    assert.equal((await ask('/healthz', { by: null })).body, 'ok\n')
    assert.equal((await ask('/readyz', { by: null })).status, 200)
    ready = false
    const answer = await ask('/readyz', { by: null })
    assert.equal(answer.status, 503)
    assert.equal(problem(answer).title, 'Not ready')
  })

  const check = '/api/v1/check?cluster=web&node=lb01&instance=VI_1'

  it('tells nothing else to somebody without a certificate, and says what to do', async () => {
    for (const path of ['/api/v1/clusters', '/api/v1/clusters/web', check, '/api/nowhere']) {
      const answer = await ask(path, { by: null })
      assert.equal(answer.status, 401)
      assert.match(problem(answer).detail, /enrol this node again, or run witnessctl as root/)
    }
    assert.deepEqual(turnedAway[0], { kind: 'unauthenticated', from: '127.0.0.1', by: null })
    assert.equal(turnedAway.length, 4)
    assert.deepEqual(asked, [])
  })

  it('lets a node read its own cluster and ask for its own vote, and no more', async () => {
    for (const path of ['/api/v1/clusters/web', '/api/v1/clusters/web/events', check])
      assert.equal((await ask(path, { by: 'lb01' })).status, 200, path)
    asked = []
    for (const path of [
      '/api/v1/clusters',
      '/api/v1/clusters/mail',
      '/api/v1/clusters/web/nodes',
      '/api/v1/check?cluster=web&node=lb02&instance=VI_1',
      '/api/v1/check?cluster=mail&node=lb01&instance=VI_1',
      '/api/v1/check?node=lb01&instance=VI_1',
      '/api/v1/check?cluster=web&node=lb02&node=lb01&instance=VI_1',
    ]) {
      const answer = await ask(path, { by: 'lb01' })
      assert.equal(answer.status, 403, path)
      assert.match(problem(answer).detail, /^The certificate of node web\/lb01 does not reach that far/)
    }
    assert.equal((await ask(check, { by: 'admin' })).status, 403)
    assert.equal((await ask(check.replace('check', 'Check'), { by: 'admin' })).status, 404)
    assert.deepEqual(asked, [])
    for (const by of ['stranger', 'witness'])
      for (const path of ['/api/v1/clusters', '/api/v1/clusters/web', check])
        assert.equal((await ask(path, { by })).status, 403, `${by} ${path}`)
    assert.deepEqual(turnedAway[0], { kind: 'forbidden', from: '127.0.0.1', by: 'node web/lb01' })
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
    const yes = await ask(check, {
      by: 'lb01',
      headers: { accept: '*/*' },
    })
    assert.equal(yes.status, 200)
    assert.equal(yes.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(yes.body, 'lb01 has the lease\n')
    checkAnswer = { permit: false, text: 'lb02 has the VIP' }
    const no = await ask(check, {
      by: 'lb01',
      headers: { accept: 'application/json' },
    })
    assert.equal(no.status, 503)
    assert.deepEqual(JSON.parse(no.body), { permit: false, reason: 'lb02 has the VIP' })
    assert.deepEqual(asked[0], { node: 'lb01', instance: 'VI_1', bootId: null })
  })

  it('hands on which boot of the host asks, where the check says so', async () => {
    const boot = '5f0f6c5e-4a1b-4c7e-9d55-0d6a0c2f7a11'
    const answer = await ask(`${check}&boot=${boot}`, { by: 'lb01' })
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
    const answer = await ask('/api/v1/check?cluster=web&node=lb01&instance=../../etc&color=red', {
      by: 'lb01',
    })
    assert.match(problem(answer).detail, /instance is "..\/..\/etc": letters, digits.*color is /)
    const shortBoot = await ask(`${check}&boot=x`, { by: 'lb01' })
    assert.equal(problem(shortBoot).detail, 'boot is "x": 8 to 64 characters are expected')
    assert.deepEqual(asked, [])
  })

  it('does not know other clusters, and no other paths', async () => {
    for (const path of ['/api/v1/clusters/mail', '/api/v1/clusters/mail/events', '/', '/api/v2']) {
      const answer = await ask(path)
      assert.equal(answer.status, 404, path)
      problem(answer)
    }
    const foreign = await ask('/api/v1/check?cluster=mail&node=lb01&instance=VI_1', { by: 'stranger' })
    assert.equal(problem(foreign).status, 404)
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
    const answer = await ask(check, { by: 'lb01' })
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.body, /secret/)
    assert.equal(errors.length, 1)
  })
})
