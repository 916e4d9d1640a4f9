/** What systemd is on a real node: starts and stops keepalived for the agent, which waits for the answer. */
import { createServer, type Server } from 'node:net'
import type { Daemon } from './daemon.ts'

/** @param services by node; an order is `start NODE` or `stop NODE` */
export function serveOrders(socketPath: string, services: Readonly<Record<string, Daemon>>): Server {
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    client.once('data', (data: Buffer) => {
      carryOut(data.toString(), services)
        .then(
          () => 'done',
          () => 'failed',
        )
        .then((answer) => client.end(answer))
        .catch(() => client.destroy())
    })
  })
  return server.listen(socketPath)
}

async function carryOut(order: string, services: Readonly<Record<string, Daemon>>): Promise<void> {
  const [word, node = ''] = order.split(' ')
  const service = services[node]
  if (service === undefined) throw new Error(`unknown service in "${order}"`)
  if (word === 'start') return service.start()
  if (word === 'stop') return service.stop()
  throw new Error(`unknown order "${order}"`)
}
