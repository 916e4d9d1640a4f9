import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterRuntime } from '../../../../server/cluster-runtime.ts'
import type { ClusterView, EventView } from '../../../../server/cluster-view.ts'
import { createApi } from '../../../../server/http-api.ts'
import { witnessctl } from '../../../../server/witnessctl/witnessctl.ts'
import { cluster, event } from './example-views.ts'

const token = 'a-token-of-the-test-suite'

describe('witnessctl', () => {
  let folder = ''
  let tokenFile = ''
  let url = ''
  let server: Server
  let views: ClusterView[]
  let events: EventView[]
  let onList: () => void
  let drill: ClusterRuntime['drill']

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'witnessctl-'))
    tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
    views = [cluster()]
    events = [event(1), event(2)]
    onList = () => undefined
    drill = () => ({ kind: 'refused', text: 'not asked for here' })
    const runtime = (
      view: ClusterView,
    ): NonNullable<ReturnType<Parameters<typeof createApi>[0]['clusters']['get']>> => ({
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
      createApi({
        token,
        version: 'test',
        clusters: {
          ready: true,
          get all() {
            return views.map(runtime)
          },
          get: (name) => views.filter((view) => view.cluster === name).map(runtime)[0] ?? null,
        },
        refused: () => ({ malformed: 3 }),
        onError: () => undefined,
        onUnauthenticated: () => undefined,
      }),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
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
      env: { KEEPALIVED_WITNESS_URL: url, KEEPALIVED_WITNESS_TOKEN_FILE: tokenFile, ...env },
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
    assert.equal((await run(['status'])).code, 3)
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
    assert.match(err, /knows no cluster yet/)
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

  it('ends with 4 when the witness cannot be reached or refuses the token', async () => {
    server.closeAllConnections()
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'another-token-of-somebody', { mode: 0o600 })
    const refused = await run(['--token-file', wrong, 'status'])
    assert.equal(refused.code, 4)
    assert.match(refused.err, /refuses the token of .*wrong: name the witness's own token file/)
    const gone = await run(['status', '--url', 'http://127.0.0.1:9'])
    assert.equal(gone.code, 4)
    assert.match(gone.err, /cannot be reached \(.+\): is witnessd running there, and is --url right\?/)
    assert.equal(gone.out, '')
  })

  it('ends with 4 when something else listens there', async () => {
    const other = createServer((_, response) => response.end('<html>'))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { code, err } = await run([
      'status',
      '--url',
      `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    ])
    other.closeAllConnections()
    other.close()
    assert.equal(code, 4)
    assert.match(err, /is a witness listening there, of the same version\?/)
  })

  it('ends with 2 for mistakes, and says on stderr what to do', async () => {
    chmodSync(tokenFile, 0o644)
    assert.match((await run(['status'])).err, /chmod 600/)
    chmodSync(tokenFile, 0o600)
    for (const args of [
      ['status', 'mail'],
      ['status', '--colour'],
      ['nonsense'],
      ['events', '--limit', '0'],
      ['--url', 'ftp://x', 'status'],
      ['--token-file', '/nonexistent', 'status'],
      [],
    ]) {
      const { code, out, err } = await run(args)
      assert.equal(code, 2, args.join(' '))
      assert.equal(out, '')
      assert.ok(err.length > 10, args.join(' '))
    }
    const { code, err } = await run(['status'], { env: { KEEPALIVED_WITNESS_URL: 'nowhere' } })
    assert.equal(code, 2)
    assert.match(err, /KEEPALIVED_WITNESS_URL: "nowhere" is no URL of a witness/)
  })

  it('documents its exit codes', async () => {
    const { code, out } = await run(['--help'])
    assert.equal(code, 0)
    assert.match(out, /Exit codes: 0 all is well; 1 something needs attention/)
    assert.equal((await run(['--version'])).out, '1.2.3\n')
  })
})
