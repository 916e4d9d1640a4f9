/** The proof that the model of keepalived is true: it does what the real one was seen to do, when the same is done to it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KeepalivedTrace, traceSchema } from '../../sim/models/keepalived-trace.ts'
import { compareWithTrace } from '../../sim/watch/trace-comparison.ts'
import { replay } from '../../sim/run/trace-replay.ts'

const folder = join(import.meta.dirname, '../../sim/traces')
const traces = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => traceSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))

/**
 * Half a typical event is less than a millisecond off, and the worst 40 ms: that was a recorder and two keepalived that
 * waited for a busy processor of two, and the time that the kernel takes to close sockets at SIGTERM, which is drawn.
 * All phases of adverts are the trace's own, since the replay takes over how long each start took.
 */
const toleranceMs = 60

/** Where chance decides what happens, one of many seeds has to bring about what was recorded; else each has to. */
const decidedByChance: Readonly<Record<string, string>> = {
  'deaf-backup':
    'two MASTERs advertise at the same moment of each second: which one is first decides who yields when',
  'deaf-master': 'the same',
  'check-hangs': 'a check dies of SIGTERM before or after the next one has ended well',
  'check-overlaps': 'the same',
  'weight-clamped': 'at priority 254 the script ends some milliseconds before an advert, or after it',
}
const seeds = Array.from({ length: 60 }, (_, seed) => seed)

function differences(trace: KeepalivedTrace, seed: number): readonly string[] {
  return compareWithTrace(trace, replay(trace, { seed }), { toleranceMs }).differences
}

function tracesNamed(name: string): KeepalivedTrace {
  const trace = traces.find((each) => each.name === name)
  if (trace === undefined) throw new Error(`no trace ${name}`)
  return trace
}

describe('the model of keepalived', () => {
  for (const trace of traces)
    it(`does as the real one: ${trace.name}: ${trace.says}`, () => {
      const found = seeds.map((seed) => differences(trace, seed))
      const unlike = found.filter((each) => each.length > 0)
      if (decidedByChance[trace.name] === undefined) assert.deepEqual(unlike[0] ?? [], [])
      else assert.ok(unlike.length < seeds.length, `no seed does what was recorded: ${unlike[0]?.join('; ')}`)
    })

  it('is rarely late or early: half of the events within 2 ms, nine of ten within 15 ms', () => {
    const offsetsMs = traces
      .flatMap((trace) => [...compareWithTrace(trace, replay(trace, { seed: 1 }), { toleranceMs }).offsetsMs])
      .map(Math.abs)
      .sort((one, other) => one - other)
    const quantile = (share: number): number => offsetsMs[Math.floor(share * offsetsMs.length)] ?? NaN
    assert.ok(offsetsMs.length > 500, `only ${offsetsMs.length} events`)
    assert.ok(quantile(0.5) < 2, `half of them are ${quantile(0.5)} ms off`)
    assert.ok(quantile(0.9) < 15, `one in ten is ${quantile(0.9)} ms off`)
  })

  it('has traces of the version that it models, with every kind of input', () => {
    assert.deepEqual([...new Set(traces.map(({ keepalived }) => keepalived))], ['2.2.7'])
    const inputs = new Set(traces.flatMap((trace) => trace.inputs.map(([, , input]) => input)))
    assert.deepEqual(
      traceSchema.shape.inputs.element.def.items[2].options.filter((input) => !inputs.has(input)),
      [],
    )
  })
})

describe('the comparison with a trace', () => {
  const trace = tracesNamed('bar-master')

  function changed(change: (seen: KeepalivedTrace['seen']) => KeepalivedTrace['seen']): KeepalivedTrace {
    return { ...trace, seen: change(trace.seen) }
  }

  it('sees an event that is missing', () => {
    const removed = trace.seen.findIndex(([, , sight]) => sight === 'vip removed')
    assert.match(
      differences(
        changed((seen) => seen.filter((_, at) => at !== removed)),
        1,
      ).join('\n'),
      /lb01 vip/,
    )
  })

  it('sees another FIFO line', () => {
    const other = changed((seen) =>
      seen.map(([atMs, node, sight]) => [atMs, node, sight === 'fifo FAULT' ? 'fifo STOP' : sight]),
    )
    assert.match(differences(other, 1).join('\n'), /lb01 fifo: "fifo STOP" .* became "fifo FAULT"/)
  })

  it('sees an event that is 100 ms late', () => {
    const late = changed((seen) =>
      seen.map(([atMs, node, sight]) => [sight === 'fifo FAULT' ? atMs + 100 : atMs, node, sight]),
    )
    assert.match(differences(late, 1).join('\n'), /"fifo FAULT" .* is -\d+ ms off/)
  })

  it('sees another priority by the skew time alone', () => {
    const lb02 = { ...trace.nodes.lb02, priority: 60 }
    const other = { ...trace, nodes: { ...trace.nodes, lb02 } }
    assert.match(differences(other, 1).join('\n'), /lb02 fifo: "fifo MASTER" .* is 1\d\d ms off/)
  })
})
