import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ledger, ledgerPath } from '../../../../server/records/ledger.ts'

describe('ledger', () => {
  let dataDir = ''
  beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'ledger-'))))
  afterEach(() => rmSync(dataDir, { recursive: true }))
  const open = (seenBefore: boolean, cluster = 'web'): Promise<Ledger> =>
    Ledger.open({ dataDir, cluster, seenBefore, nowMs: () => 0 })

  it('begins empty for a cluster that was never seen', async () => {
    const ledger = await open(false)
    assert.deepEqual(ledger.state, { kind: 'new' })
    assert.deepEqual(ledger.recovered(null), { ballots: new Map(), others: 'new' })
  })

  it('remembers ballots', async () => {
    const ledger = await open(false)
    await ledger.record('VI_1', { to: 'lb01', epoch: 7 })
    await ledger.record('VI_2', { to: 'lb02', epoch: 1 })
    const next = await open(true)
    assert.deepEqual(next.state, { kind: 'valid' })
    assert.deepEqual(next.recovered({ VI_1: { epoch: 7, untilMs: 500 } }), {
      ballots: new Map([
        ['VI_1', { kind: 'valid', ballot: { to: 'lb01', epoch: 7 }, mark: { epoch: 7, untilMs: 500 } }],
        ['VI_2', { kind: 'valid', ballot: { to: 'lb02', epoch: 1 }, mark: null }],
      ]),
      others: 'new',
    })
  })

  it('remembers what the nodes call their instances, and has no ballot on disk without it', async () => {
    const ledger = await open(false)
    const said = { instance: 'VI_WEB', virtualRouterId: 51, vips: ['10.0.0.100'], present: true }
    const known = new Map([['VI_1', new Map([['lb02', said]])]])
    const noted = ledger.note(known)
    await ledger.record('VI_1', { to: 'lb02', epoch: 1 })
    assert.deepEqual((await open(true)).recovered(null).known, known)
    await noted
  })

  it('is lost when it is missing for a cluster that was seen before', async () => {
    const ledger = await open(true)
    assert.match(
      JSON.stringify(ledger.state),
      /lost.*is missing, although this witness has seen the cluster before/,
    )
    assert.deepEqual(ledger.recovered({ VI_1: { epoch: 7, untilMs: 500 } }), {
      ballots: new Map([['VI_1', { kind: 'lost' }]]),
      others: 'lost',
    })
  })

  it('is lost, and kept aside, when it is torn, empty, alien or of another cluster', async () => {
    const path = ledgerPath(dataDir, 'web')
    const other = await open(false, 'mail')
    await other.record('VI_1', { to: 'mx01', epoch: 3 })
    const alien = readFileSync(ledgerPath(dataDir, 'mail'), 'utf8')
    await (await open(false)).record('VI_1', { to: 'lb01', epoch: 7 })
    const good = readFileSync(path, 'utf8')
    for (const [index, text] of [good.slice(0, 50), '', '{}', alien].entries()) {
      writeFileSync(path, text)
      const { state } = await open(true)
      assert.equal(state.kind === 'lost' && state.keptAs, `${path}.torn-${index + 1}`)
      assert.equal(readFileSync(`${path}.torn-${index + 1}`, 'utf8'), text)
    }
  })

  it('notices that it is missing once it was founded', async () => {
    await (await open(false)).establish()
    assert.equal((await open(true)).state.kind, 'valid')
    rmSync(ledgerPath(dataDir, 'web'))
    assert.equal((await open(true)).state.kind, 'lost')
  })

  it('hands on a mark without a ballot: it shows a ledger that was rolled back', async () => {
    const ledger = await open(false)
    assert.deepEqual(
      ledger.recovered({ VI_1: { epoch: 7, untilMs: 500 } }).ballots,
      new Map([['VI_1', { kind: 'valid', ballot: null, mark: { epoch: 7, untilMs: 500 } }]]),
    )
  })

  it('does not forget over later restarts that an earlier ledger was lost', async () => {
    const lost = await open(true)
    await lost.record('VI_1', { to: 'lb01', epoch: 1001 })
    const next = await open(true)
    assert.equal(next.state.kind, 'valid')
    assert.deepEqual(next.recovered(null), {
      ballots: new Map([['VI_1', { kind: 'valid', ballot: { to: 'lb01', epoch: 1001 }, mark: null }]]),
      others: 'lost',
    })
  })
})
