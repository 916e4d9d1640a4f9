/** What `systemctl start keepalived` and `systemctl stop keepalived` are on a real node: asks the service manager and waits. */
import { connect } from 'node:net'

const [socketPath, order] = process.argv.slice(2)
const socket = connect(socketPath, () => socket.write(order))
socket.on('data', (answer) => {
  process.exitCode = answer.toString() === 'done' ? 0 : 1
})
socket.on('error', (error) => {
  console.error(error.message)
  process.exitCode = 1
})
