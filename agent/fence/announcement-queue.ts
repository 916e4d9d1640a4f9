/**
 * Starts the programs that announce VIPs. To start a program costs the thread that decides about 1.5 ms, and a node may
 * have hundreds of VIPs. So one helper, a shell, starts them all; this process starts the helper and nothing else.
 */
import { spawn } from 'node:child_process'

/** How many of them run at once. Beside them the unit's TasksMax has room for a fence. */
export const mostAtOnce = 64
/** arping stays for a second after it has sent. Whoever has had so much time has sent. */
const timeToSend = '0.25'
/** A helper that takes longer hangs, for example because the kernel does not let it go. */
const longestWaveMs = 2000

/**
 * Reads one command a line, and starts them in waves. Its only other input are two numbers. Nothing of a line is
 * evaluated: it is split into words, and the words are a program and its arguments.
 */
const helper = `set -f
most=$1 time=$2 pids= count=0
end_wave() { sleep "$time"; kill $pids 2>/dev/null; wait; pids= count=0; }
while read -r line; do
  set -- $line
  "$@" </dev/null >/dev/null 2>&1 &
  pids="$pids $!" count=$((count + 1))
  [ "$count" -lt "$most" ] || end_wave
done
[ "$count" -eq 0 ] || end_wave`

/** A program and its arguments, none of them with a blank in it. */
export type Announcement = readonly string[]

export class AnnouncementQueue {
  /** By their text: what still waits is not sent twice. */
  #waiting = new Map<string, Announcement>()
  #running = false
  #due: NodeJS.Immediate | null = null

  /** What comes within one turn goes to one helper. */
  add(announcements: readonly Announcement[]): void {
    for (const announcement of announcements) this.#waiting.set(announcement.join(' '), announcement)
    if (this.#due === null && !this.#running && this.#waiting.size > 0)
      this.#due = setImmediate(() => {
        this.#due = null
        this.#startHelper()
      })
  }

  close(): void {
    if (this.#due !== null) clearImmediate(this.#due)
    this.#due = null
    this.#waiting.clear()
  }

  #startHelper(): void {
    const lines = [...this.#waiting.keys()]
    this.#waiting = new Map()
    if (lines.length === 0) return
    this.#running = true
    const child = spawn('/bin/sh', ['-c', helper, 'announce', String(mostAtOnce), timeToSend], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const deadline = setTimeout(
      () => child.kill('SIGKILL'),
      longestWaveMs * (1 + Math.ceil(lines.length / mostAtOnce)),
    )
    deadline.unref()
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      clearTimeout(deadline)
      this.#running = false
      this.add([])
    }
    // What was not sent is sent again by the burst.
    child.on('error', end)
    child.on('exit', end)
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${lines.join('\n')}\n`)
    child.unref()
  }
}
