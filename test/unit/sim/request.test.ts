import assert from 'node:assert/strict'
import { ciRange, parseRequest, UsageError } from '../../sim/run/request.ts'

function refusal(...args: string[]): UsageError {
  try {
    parseRequest(args)
  } catch (error) {
    assert.ok(error instanceof UsageError)
    return error
  }
  assert.fail(`${args.join(' ')} was taken`)
}

describe('the request to the simulator', () => {
  it('is a hundred seeds of an hour each where nothing is said', () => {
    const request = parseRequest([])
    assert.deepEqual(request.kind === 'seeds' && request.range, {
      ...{ from: 1, seeds: 100, minutes: null, hours: 1, whole: false },
    })
    assert.ok(request.jobs >= 1)
    assert.equal(request.json, false)
  })

  it('stops after so many seeds or so many minutes, whichever is first', () => {
    const request = parseRequest(['--seeds', '100000', '--minutes', '10', '--from', '7'])
    assert.deepEqual(request.kind === 'seeds' && request.range, {
      ...{ from: 7, seeds: 100_000, minutes: 10, hours: 1, whole: false },
    })
  })

  it('has no last seed where only the time is limited', () => {
    const request = parseRequest(['--minutes', '0.5'])
    assert.equal(request.kind === 'seeds' && request.range.seeds, null)
  })

  it('runs a fixed range whole in CI', () => {
    const request = parseRequest(['--ci', '--jobs', '2', '--json'])
    assert.deepEqual(request, { kind: 'seeds', range: ciRange, jobs: 2, json: true })
    assert.ok((ciRange.seeds ?? 0) * ciRange.hours >= 6_000)
    assert.equal(ciRange.whole, true)
  })

  it('replays one seed, shrinks one, or runs what is kept', () => {
    const common = { jobs: 1, json: false }
    const jobs = ['--jobs', '1']
    assert.deepEqual(parseRequest(['--seed', '9', '--trace', ...jobs]), {
      ...{ kind: 'replay', seed: 9, hours: 1, trace: true },
      ...common,
    })
    assert.deepEqual(parseRequest(['--shrink', '--seed', '9', '--hours', '2', '--keep', 'a-b', ...jobs]), {
      ...{ kind: 'shrink', seed: 9, hours: 2, keep: 'a-b', story: null },
      ...common,
    })
    assert.deepEqual(parseRequest(['--scenarios', ...jobs]), {
      ...{ kind: 'scenarios', name: null, trace: false },
      ...common,
    })
    assert.deepEqual(parseRequest(['--scenario', 'full-disk', '--trace', ...jobs]), {
      ...{ kind: 'scenarios', name: 'full-disk', trace: true },
      ...common,
    })
  })

  it('is refused with exit code 2 where a value makes no sense, and the option is named', () => {
    const wrong = [
      ['--seeds', '0'],
      ['--seeds', 'many'],
      ['--from', '-1'],
      ['--minutes', '0'],
      ['--hours', ''],
      ['--jobs', '1.5'],
      ['--seed', '9007199254740993'],
      ['--scenario', '../secret'],
      ['--seed', '1', '--shrink', '--keep', 'No Name'],
    ]
    for (const args of wrong) {
      const { message, exitCode } = refusal(...args)
      assert.equal(exitCode, 2, args.join(' '))
      assert.ok(message.includes(args.at(-2) ?? ''), message)
    }
    assert.match(refusal('--sed', '1').message, /--sed/)
    assert.equal(refusal('extra').exitCode, 2)
  })

  it('is refused where options contradict each other or miss one another', () => {
    for (const [args, said] of [
      [['--seed', '1', '--seeds', '2'], '--seed cannot be combined with --seeds'],
      [['--ci', '--minutes', '5'], '--ci cannot be combined with --minutes'],
      [['--scenarios', '--seed', '1'], '--scenarios cannot be combined with --seed'],
      [['--trace'], '--trace needs --seed or --scenario'],
      [['--shrink'], '--shrink needs --seed'],
      [['--seed', '1', '--keep', 'x'], '--keep needs --shrink'],
      [['--seed', '1', '--shrink', '--trace'], 'cannot be combined with'],
    ] as const) {
      const { message, exitCode } = refusal(...args)
      assert.equal(exitCode, 2)
      assert.ok(message.includes(said), message)
    }
  })

  it('gives its help with exit code 0', () => {
    const { message, exitCode } = refusal('--help')
    assert.equal(exitCode, 0)
    assert.match(message, /--shrink/)
  })
})
