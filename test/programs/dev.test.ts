import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../fixtures/eventually.ts'

/** A machine with much else to do starts five programs more slowly than one that has nothing. */
const patienceMs = 180_000
/** Everything that is started inherits it. */
const mark = `KEEPALIVED_WITNESS_DEV_TEST=${process.pid}`

interface Run {
  readonly code: number | null
  readonly lines: readonly string[]
  readonly stderr: string
}

/** @param onLine may signal the program; `before`: everything that it has printed so far */
function run(
  args: readonly string[],
  onLine: (line: string, pid: number, before: string) => void = () => undefined,
): Promise<Run> {
  const [name = '', value] = mark.split('=')
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/dev/main.ts', ...args], {
    env: { ...process.env, [name]: value },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
    onLine(stdout.split('\n').at(-2) ?? '', child.pid ?? 0, stdout)
  })
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, lines: stdout.split('\n'), stderr }))
  })
}

/** The stand-in for keepalived overwrites its command line, but not what it inherited. */
function marked(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)
    } catch {
      return false
    }
  })
}

function folderIn(printed: string): string {
  return /all files of this pair are in (\S+)/.exec(printed)?.[1] ?? ''
}

async function assertNothingIsLeft({ lines }: Run): Promise<void> {
  const folder = folderIn(lines.join('\n'))
  assert.match(folder, /keepalived-witness-dev-/)
  assert.ok(!existsSync(folder), `${folder} is left`)
  await eventually('the end of every process', () => marked().length === 0)
}

/** @returns the lines after the first that is like `pattern` */
function after(lines: readonly string[], pattern: RegExp): readonly string[] {
  const at = lines.findIndex((line) => pattern.test(line))
  assert.ok(at >= 0, `no line is like ${String(pattern)}:\n${lines.join('\n')}`)
  return lines.slice(at + 1)
}

describe('npm run dev', function () {
  this.timeout(patienceMs)

  it('fences the second MASTER while VRRP is cut, heals, and leaves nothing behind', async () => {
    const play = '1 until lb02/fenced wait 1 h calm q'
    const ended = await run(['--play', play])
    const { code, lines, stderr } = ended
    assert.equal(code, 0, `${stderr}${lines.join('\n')}`)
    for (const node of ['lb01', 'lb02']) after(lines, new RegExp(`witness \\(${node}\\) +agent-started: `))
    const began = after(lines, /dev +calm: /)
    const cut = after(began, /dev +key: 1: VRRP off/)
    after(after(cut, /lb02 keepalived +vrrp: VI_1: MASTER/), /lb02 agent +fenced: The VIP was released/)
    assert.deepEqual(
      cut.filter((line) => /lb01 keepalived +vrrp: VI_1: (BACKUP|FAULT|STOP)/.test(line)),
      [],
      'the holder was disturbed',
    )
    after(after(cut, /dev +key: h: VRRP on/), /lb02 keepalived +vrrp: VI_1: BACKUP/)
    await assertNothingIsLeft(ended)
  })

  it('leaves nothing behind when it is ended by a signal', async () => {
    const ended = await run(['--play', 'wait 600'], (line, pid) => {
      if (/dev +calm: /.test(line)) process.kill(pid, 'SIGTERM')
    })
    assert.equal(ended.code, 143, ended.stderr)
    await assertNothingIsLeft(ended)
  })

  it('lets nobody new join after a removal before the node that stays has the plan without the removed one', async () => {
    const answers: string[] = []
    const ask = (printed: string, ...args: readonly string[]): string => {
      const home = join(folderIn(printed), 'witness')
      const listen = /^listen: (\S+)$/m.exec(readFileSync(join(home, 'witness.yaml'), 'utf8'))?.[1] ?? ''
      const access = ['--url', `https://${listen}`, '--identity', join(home, 'data/admin')]
      const command = ['--import', 'tsx', 'server/witnessctl/main.ts', ...access]
      const { stdout, stderr } = spawnSync(process.execPath, [...command, ...args])
      return `${String(stdout)}${String(stderr)}`
    }
    const ended = await run(['--play', 'calm wait 600'], (line, pid, printed) => {
      if (!/dev +calm: /.test(line) || answers.length > 0) return
      answers.push(ask(printed, 'remove', '--cluster', 'web', '--node', 'lb02'))
      do answers.push(ask(printed, 'nodes'))
      while (answers.at(-1)?.includes('may still serve') === true && answers.length < 20)
      process.kill(pid, 'SIGTERM')
    })
    assert.match(answers[0] ?? '', /lb01 learns this when .* connected.*Until then the two may still serve/s)
    assert.match(answers.at(-1) ?? '', /lb02 +removed +127/)
    assert.doesNotMatch(ended.lines.join('\n'), /fenc/, 'the holder was disturbed')
    await assertNothingIsLeft(ended)
  })

  it('ends with 2 where it has neither a terminal nor a play, or a play that makes no sense', async () => {
    assert.deepEqual(await run([]), {
      code: 2,
      lines: [''],
      stderr: 'this is no terminal: give the keys with --play, for example --play "1 wait 5 h"\n',
    })
    const { code, stderr } = await run(['--play', 'jump'])
    assert.equal(code, 2)
    assert.match(stderr, /"jump" is not a step/)
  })
})
