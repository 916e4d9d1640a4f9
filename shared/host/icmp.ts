/** One ICMP echo at a time, with the system's ping program: evidence of whether a host is alive, never a vote. */
import { ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import pingModule from 'ping'

export type Echo =
  | { readonly kind: 'answered'; readonly roundTripMs: number }
  | { readonly kind: 'silent' }
  /** No echo could be sent, which says nothing about the host. */
  | { readonly kind: 'impossible'; readonly why: string }

const answerTimeoutS = 1
/** ping(8) ends by itself after `answerTimeoutS`; a hung one is killed. */
const longestRunMs = 1500

/** A killed child may still hang in the kernel. Until it is gone, its address gets no second one. */
const running = new Map<string, ChildProcess>()

/** One echo. The result distinguishes silence from not being able to ask. Never throws. */
export async function echo(address: string): Promise<Echo> {
  if (running.has(address))
    return { kind: 'impossible', why: `the previous ping of ${address} has not ended yet` }
  // The library passes its own environment to the child, and reads only English output.
  process.env.LC_ALL = 'C'
  const started = startPing(address)
  if (started.child === null) return { kind: 'impossible', why: await failureOf(started.answer) }
  const { child, answer } = started
  running.set(address, child)
  child.once('exit', () => running.delete(address))
  child.once('error', () => running.delete(address))
  return new Promise((resolve) => {
    const deadline = setTimeout(() => {
      child.kill('SIGKILL')
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.unref()
      resolve({ kind: 'silent' })
    }, longestRunMs)
    const end = (result: Echo): void => {
      clearTimeout(deadline)
      resolve(result)
    }
    guardParser(child, (error) =>
      end({ kind: 'impossible', why: `the output of ping cannot be understood: ${String(error)}` }),
    )
    // The library does not pass on why; its own rejection comes after this.
    child.once('error', ({ message }) =>
      end({
        kind: 'impossible',
        why: `the program ping cannot be started (${message}); install it (Debian: iputils-ping)`,
      }),
    )
    answer.then(
      (response) => end(readAnswer(response, child)),
      (error: unknown) => end({ kind: 'impossible', why: String(error) }),
    )
  })
}

type Answer = Awaited<ReturnType<typeof pingModule.promise.probe>>

function readAnswer(response: Answer, child: ChildProcess): Echo {
  if (response.alive && typeof response.time === 'number')
    return { kind: 'answered', roundTripMs: response.time }
  // ping(8): 1 is "no answer", 2 is every other trouble. Of these, an unreachable network is what a cut host sees.
  if (child.exitCode === 2 && !/unreachable/i.test(response.output))
    return {
      kind: 'impossible',
      why: response.output.trim().slice(0, 200) || 'ping failed without a message',
    }
  return { kind: 'silent' }
}

/**
 * The library does not expose its child, and a hung child must be killed by its pid. A diagnostics channel of Node.js
 * reports each new child.
 */
function startPing(address: string): { child: ChildProcess | null; answer: Promise<Answer> } {
  const children: ChildProcess[] = []
  const onChild = (message: unknown): void => {
    if (isChildMessage(message)) children.push(message.process)
  }
  subscribe('child_process', onChild)
  try {
    // `--` so that no address is ever taken for an option; ping itself tells IPv6 from IPv4.
    const answer = pingModule.promise.probe(address, {
      v6: false,
      numeric: true,
      timeout: answerTimeoutS,
      deadline: answerTimeoutS,
      min_reply: 1,
      extra: ['--'],
    })
    return { child: children[0] ?? null, answer }
  } finally {
    unsubscribe('child_process', onChild)
  }
}

function isChildMessage(message: unknown): message is { process: ChildProcess } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'process' in message &&
    message.process instanceof ChildProcess
  )
}

/** The library parses in a listener, where an exception would end this process. */
function guardParser(child: ChildProcess, onError: (error: unknown) => void): void {
  const parsers = child.listeners('close')
  child.removeAllListeners('close')
  child.once('close', (...args: unknown[]) => {
    try {
      for (const parse of parsers) Reflect.apply(parse, child, args)
    } catch (error) {
      onError(error)
    }
  })
}

async function failureOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer
    return 'no child process was seen'
  } catch (error) {
    return String(error)
  }
}
