import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  askWitness,
  endpointOf,
  problemDetail,
  WitnessRequestError,
  type WitnessRequest,
} from '../../../../shared/network/witness-request.ts'
import { adminCredentials, authority, lb01Credentials, witnessCredentials } from '../../../identities.ts'

describe('the endpoint of a URL', () => {
  it('has the port that is written, also the usual one, and an address without brackets', () => {
    assert.deepEqual(endpointOf('https://10.0.0.20:443'), { host: '10.0.0.20', port: 443 })
    assert.deepEqual(endpointOf('https://[2001:db8::20]:7400'), { host: '2001:db8::20', port: 7400 })
  })
})

describe('witness-request', () => {
  let server: Server
  let heard: string[]
  let date: string
  let isSilent: boolean

  beforeEach(async () => {
    heard = []
    isSilent = false
    date = 'Fri, 02 Jan 2026 03:04:05 GMT'
    server = createServer(
      { key: witnessCredentials.key, cert: witnessCredentials.certificate, minVersion: 'TLSv1.3' },
      (request, response) => {
        let body = ''
        request.on('data', (chunk) => (body += String(chunk)))
        request.on('end', () => {
          heard.push(`${request.method ?? ''} ${request.url ?? ''} ${body}`)
          if (!isSilent) response.writeHead(418, { date }).end('tea')
        })
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const ask = (more: Partial<WitnessRequest> = {}) =>
    askWitness({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      method: 'POST',
      path: '/x?y=1',
      body: { secret: 1 },
      authority: authority.certificatePem,
      own: adminCredentials,
      timeoutMs: 5000,
      ...more,
    })
  const refused = (asked: Promise<unknown>, code: WitnessRequestError['code'], says: RegExp): Promise<void> =>
    assert.rejects(asked, (error) => {
      assert.ok(error instanceof WitnessRequestError, String(error))
      assert.equal(error.code, code)
      assert.match(error.message, says)
      return true
    })

  it('has no clock of a witness that tells none', async () => {
    date = 'noon'
    assert.equal((await ask()).dateMs, null)
  })

  it('brings back what the witness answers, whatever it is', async () => {
    assert.deepEqual(await ask(), { status: 418, text: 'tea', dateMs: Date.UTC(2026, 0, 2, 3, 4, 5) })
    assert.equal((await ask({ own: null, method: 'GET', body: null })).status, 418)
    assert.deepEqual(heard, ['POST /x?y=1 {"secret":1}', 'GET /x?y=1 '])
  })

  it('says nothing to one who is not the witness', async () => {
    server.setSecureContext({ key: lb01Credentials.key, cert: lb01Credentials.certificate })
    await refused(ask(), 'not-the-witness', /not that of the witness/)
    assert.deepEqual(heard, [])
  })

  it('gives up on a witness that does not answer, or is not there', async () => {
    isSilent = true
    await refused(ask({ timeoutMs: 300 }), 'unreachable', /no answer within 300 ms/)
    await refused(ask({ port: 9 }), 'unreachable', /ECONNREFUSED/)
  })

  it('finds the reason in a refusal, and none where there is none', () => {
    assert.equal(problemDetail('{"detail":"late"}'), 'late')
    for (const text of ['', 'null', '[]', '{"detail":7}', '<html>']) assert.equal(problemDetail(text), null)
  })
})
