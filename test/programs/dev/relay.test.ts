import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Relay } from '../../dev/relay.ts'
import { eventually } from '../../fixtures/eventually.ts'

const soonMs = 50

describe('a relay of npm run dev', () => {
  const heard: string[] = []
  const callers: (string | undefined)[] = []
  const server = createServer((socket) => {
    callers.push(socket.remoteAddress)
    socket.on('data', (data) => heard.push(data.toString()))
    socket.on('error', () => socket.destroy())
  })
  const sockets: Socket[] = []
  let relay: Relay

  before(async () => {
    server.listen(0, '127.0.0.11')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    relay = await Relay.listen({ at: '127.0.1.11', to: '127.0.0.11', from: '127.0.1.12', port })
  })
  after(() => {
    for (const socket of sockets) socket.destroy()
    relay.close()
    server.close()
  })

  async function dial(): Promise<Socket> {
    const socket = connect(relay.port, '127.0.1.11')
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  it('passes on what is sent, by the address of the caller', async () => {
    ;(await dial()).write('one')
    await eventually('the data', () => heard.includes('one'))
    assert.deepEqual(callers, ['127.0.1.12'])
  })

  it('holds back what is sent while it is cut, and refuses nobody', async () => {
    const early = await dial()
    await eventually('the connection', () => callers.length === 2)
    relay.cut()
    early.write('two')
    const late = await dial()
    late.write('three')
    await new Promise((resolve) => setTimeout(resolve, soonMs))
    assert.deepEqual(heard, ['one'])
    assert.deepEqual([early.destroyed, late.destroyed], [false, false])

    late.on('error', () => undefined)
    const isClosed = new Promise((resolve) => late.once('close', resolve))
    late.resume()
    relay.heal()
    await eventually('what was held back', () => heard.includes('two'))
    await isClosed
    assert.ok(!heard.includes('three'))
  })

  it('tells nobody through a cut path that the other side has gone', async () => {
    const near = await dial()
    near.on('error', () => undefined)
    near.resume()
    await eventually('the connection', () => callers.length === 3)
    relay.cut()
    const far = await new Promise<number>((resolve) =>
      server.getConnections((_error, count) => resolve(count)),
    )
    assert.ok(far > 0)
    near.destroy()
    await new Promise((resolve) => setTimeout(resolve, soonMs))
    const left = await new Promise<number>((resolve) =>
      server.getConnections((_error, count) => resolve(count)),
    )
    assert.equal(left, far)
    relay.heal()
  })
})
