/** A datagram socket as systemd has one. Node.js cannot open it: a few lines of Python do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const listener = `
import json, socket, sys
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind(sys.argv[1])
print('"bound"', flush=True)
while True:
    print(json.dumps(heard.recv(4096).decode()), flush=True)
`

export interface NotifySocket {
  readonly path: string
  /** What arrived so far, in its order; the barriers of systemd-notify are left out. */
  readonly heard: readonly string[]
  close(): Promise<void>
}

export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const child = spawn('python3', ['-u', '-c', listener, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const heard: string[] = []
  const bound = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`nobody listens at ${path}`)))
    createInterface(child.stdout).on('line', (line) => {
      const text = String(JSON.parse(line))
      if (text === 'bound') resolve()
      else if (!text.startsWith('BARRIER=1')) heard.push(text.trim())
    })
  })
  await bound
  const ended = once(child, 'exit')
  return {
    path,
    heard,
    close: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
