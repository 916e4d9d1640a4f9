/**
 * Fetches the page from the VIP again and again, each time over a new connection, whether or not the last one is
 * answered yet. One line per attempt to stdout: the time at which it began (wall clock, ms) and who answered, or `-`.
 * Arguments: address, port, interval ms, timeout ms.
 */
import { connect } from 'node:net'

const [address = '', port = '', intervalMs = '', timeoutMs = ''] = process.argv.slice(2)

function attempt(): void {
  const beganAtMs = Date.now()
  let answer = ''
  let told = false
  const socket = connect({ host: address, port: Number(port), noDelay: true })
  const tell = (who: string): void => {
    if (told) return
    told = true
    clearTimeout(deadline)
    socket.destroy()
    process.stdout.write(`${beganAtMs} ${who}\n`)
  }
  const deadline = setTimeout(() => tell('-'), Number(timeoutMs))
  socket.setEncoding('utf8')
  socket.on('connect', () => socket.write(`GET / HTTP/1.1\r\nhost: ${address}\r\nconnection: close\r\n\r\n`))
  socket.on('data', (text: string) => (answer += text))
  socket.on('end', () => tell(/\r\n\r\n(?:[0-9a-f]+\r\n)?([a-z0-9-]+)/.exec(answer)?.[1] ?? '-'))
  socket.on('error', () => tell('-'))
}

setInterval(attempt, Number(intervalMs))
