import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, statSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import {
  NotifyFifo,
  NotifyFifoError,
  parseFifoLine,
  type FifoEvent,
} from '../../../../agent/keepalived/notify-fifo.ts'
import { eventually } from '../../../fixtures/eventually.ts'
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts'

describe('parseFifoLine', () => {
  it('reads the priority that keepalived runs with', () => {
    assert.deepEqual(parseFifoLine('INSTANCE "VI_1" BACKUP 90'), {
      type: 'state',
      instance: 'VI_1',
      state: 'BACKUP',
      priority: 90,
    })
    for (const word of ['MASTER_PRIORITY', 'BACKUP_PRIORITY'])
      assert.deepEqual(parseFifoLine(`INSTANCE "VI_1" ${word} 90`), {
        type: 'priority',
        instance: 'VI_1',
        priority: 90,
      })
  })

  it('takes no impossible priority', () => {
    for (const word of ['', ' 0', ' 256', ' -1', ' many'])
      assert.deepEqual(parseFifoLine(`INSTANCE "VI_1" MASTER${word}`), {
        type: 'state',
        instance: 'VI_1',
        state: 'MASTER',
        priority: null,
      })
    assert.equal(parseFifoLine('INSTANCE "VI_1" MASTER_PRIORITY 0'), null)
  })

  it('reads the transitions of an instance', () => {
    assert.deepEqual(parseFifoLine('INSTANCE "VI_1" MASTER 100'), {
      type: 'state',
      instance: 'VI_1',
      state: 'MASTER',
      priority: 100,
    })
    assert.deepEqual(parseFifoLine('INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100'), {
      type: 'rival',
      instance: 'VI_1',
    })
  })

  it('takes an instance that was deleted for stopped', () => {
    const event = parseFifoLine('INSTANCE "VI_1" DELETED 0')
    assert.ok(event !== null && event !== 'other' && event.type === 'state')
    assert.equal(event.state, 'STOP')
  })

  it('passes over groups and virtual servers', () => {
    assert.equal(parseFifoLine('GROUP "G1" MASTER 100'), 'other')
  })

  it('does not guess', () => {
    assert.equal(parseFifoLine('INSTANCE "VI_1" SOMETHING 100'), null)
    assert.equal(parseFifoLine('MASTER'), null)
  })
})

describe('NotifyFifo', () => {
  const folder = temporaryFolder()
  const writers: number[] = []
  let fifo: NotifyFifo | null = null
  let events: FifoEvent[] = []
  let problems: string[] = []

  const open = async (): Promise<NotifyFifo> => {
    events = []
    problems = []
    fifo = await NotifyFifo.open(folder('notify.fifo'), {
      event: (event) => events.push(event),
      problem: (text) => problems.push(text),
    })
    return fifo
  }
  /** As keepalived opens it. */
  const openWriter = (): number => {
    const writer = openSync(folder('notify.fifo'), constants.O_RDWR | constants.O_NONBLOCK)
    writers.push(writer)
    return writer
  }
  const closeWriter = (writer: number): void => {
    writers.splice(writers.indexOf(writer), 1)
    closeSync(writer)
  }
  afterEach(() => {
    fifo?.close()
    fifo = null
    for (const writer of writers.splice(0)) closeSync(writer)
  })

  it('makes a FIFO that only its owner opens', async () => {
    await open()
    const stat = statSync(folder('notify.fifo'))
    assert.ok(stat.isFIFO())
    assert.equal(stat.mode & 0o777, 0o600)
  })

  it('hands on lines in their order, also when one comes in pieces', async () => {
    await open()
    const writer = openWriter()
    writeSync(writer, 'INSTANCE "VI_1" BACKUP 100\nGROUP "G" BACKUP 1\nINSTANCE "VI_2" MAS')
    await eventually('the whole line', () => events.length === 1)
    writeSync(writer, 'TER 200\n')
    await eventually('the line in pieces', () => events.length === 2)
    assert.deepEqual(
      events.map((event) => (event.type === 'state' ? `${event.instance} ${event.state}` : event.type)),
      ['VI_1 BACKUP', 'VI_2 MASTER'],
    )
  })

  it('counts lines that it does not understand and goes on', async () => {
    const opened = await open()
    const writer = openWriter()
    writeSync(writer, 'garbage\nINSTANCE "VI_1" FAULT 100\n')
    await eventually('the good line', () => events.length === 1)
    assert.equal(opened.unknownLines, 1)
  })

  it('tells that the last writer died, and hears the next one', async () => {
    await open()
    const first = openWriter()
    writeSync(first, 'INSTANCE "VI_1" MASTER 100\n')
    closeWriter(first)
    await eventually('the end', () => events.at(-1)?.type === 'writer-gone')
    writeSync(openWriter(), 'INSTANCE "VI_1" BACKUP 100\n')
    await eventually('the next writer', () => events.length === 3)
    assert.deepEqual(problems, [])
  })

  it('follows a FIFO that was replaced', async () => {
    const opened = await open()
    unlinkSync(folder('notify.fifo'))
    execFileSync('mkfifo', [folder('notify.fifo')])
    opened.look()
    writeSync(openWriter(), 'INSTANCE "VI_1" BACKUP 100\n')
    await eventually('a line of the new FIFO', () => events.length === 1)
  })

  it('makes the FIFO anew where it was unlinked', async () => {
    const opened = await open()
    unlinkSync(folder('notify.fifo'))
    opened.look()
    await eventually(
      'a new FIFO',
      () => statSync(folder('notify.fifo'), { throwIfNoEntry: false }) !== undefined,
    )
    await eventually('a line of the new FIFO', () => {
      if (events.length === 0 && writers.length === 0) writeSync(openWriter(), 'INSTANCE "VI_1" BACKUP 100\n')
      opened.look()
      return events.length === 1
    })
  })

  it('refuses a plain file with what to do', async () => {
    writeFileSync(folder('notify.fifo'), '')
    await assert.rejects(open(), (error) => {
      assert.ok(error instanceof NotifyFifoError)
      assert.match(error.message, /is not a FIFO; remove it/)
      return true
    })
  })

  it('names the folder that is missing', async () => {
    await assert.rejects(
      NotifyFifo.open(folder('missing/notify.fifo'), { event: () => undefined, problem: () => undefined }),
      /cannot create the FIFO .*missing.*must exist before keepalived starts/,
    )
  })
})
