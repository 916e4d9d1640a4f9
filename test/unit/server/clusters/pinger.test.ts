import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { Pinger, type Pinged } from '../../../../server/clusters/pinger.ts'
import type { Echo } from '../../../../shared/host/icmp.ts'
import { recordingLog } from '../../../fixtures/recording-log.ts'

describe('pinger', () => {
  it('pings every node in each round, tells what came back, and never calls silent what it could not ask', async () => {
    const answers: Record<string, Echo> = {
      '10.0.0.11': { kind: 'answered', roundTripMs: 0.3 },
      '10.0.0.12': { kind: 'silent' },
      '10.0.1.11': { kind: 'impossible', why: 'no ping program' },
    }
    const echoed: unknown[] = []
    const asked: string[] = []
    const cluster = (name: string, addresses: string[]): Pinged => ({
      cluster: name,
      members: addresses.map((address, index) => ({
        name: `lb0${index + 1}`,
        address,
        port: 7401,
        leastGeneration: 1,
      })),
      hears: () => false,
      handle: ({ node, roundTripMs }) => void echoed.push([name, node, roundTripMs]),
    })
    const log = recordingLog()
    const clusters = [cluster('web', ['10.0.0.11', '10.0.0.12']), cluster('mail', ['10.0.1.11'])]
    await new Promise<void>((resolve) => {
      const pinger = new Pinger({
        clusters: () => clusters,
        echo: (address) => {
          asked.push(address)
          if (asked.length === 6) {
            pinger.stop()
            setImmediate(resolve)
          }
          return Promise.resolve(answers[address]!)
        },
        intervalMs: 30,
        log,
      })
      pinger.start()
    })
    assert.deepEqual(asked, ['10.0.0.11', '10.0.0.12', '10.0.1.11', '10.0.0.11', '10.0.0.12', '10.0.1.11'])
    assert.deepEqual(echoed, [
      ['web', 'lb01', 0.3],
      ['web', 'lb02', null],
      ['web', 'lb01', 0.3],
      ['web', 'lb02', null],
    ])
    assert.deepEqual(log.lines, [
      'warn icmp-impossible: mail/lb01 (10.0.1.11) cannot be pinged: no ping program',
    ])
  })

  it('tells once, and not at each turn, of a host that is gone and keeps every other ping hanging', async () => {
    const log = recordingLog()
    let asked = 0
    await new Promise<void>((resolve) => {
      const pinger = new Pinger({
        clusters: () => [
          {
            cluster: 'web',
            members: [{ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 }],
            hears: () => false,
            handle: () => undefined,
          },
        ],
        echo: () => {
          asked += 1
          if (asked === 8) {
            pinger.stop()
            resolve()
          }
          return Promise.resolve<Echo>(
            asked % 2 === 0 ? { kind: 'silent' } : { kind: 'impossible', why: 'the last ping still hangs' },
          )
        },
        intervalMs: 5,
        log,
      })
      pinger.start()
    })
    assert.deepEqual(log.lines, [
      'warn icmp-impossible: web/lb01 (10.0.0.11) cannot be pinged: the last ping still hangs',
    ])
  })

  it('asks a node whose agent is heard less often, and at once when it falls silent', async () => {
    let heard = true
    let rounds = 0
    const asked: number[] = []
    const cluster: Pinged = {
      cluster: 'web',
      get members() {
        rounds += 1
        return [{ name: 'lb01', address: '10.0.0.11', port: 7401, leastGeneration: 1 }]
      },
      hears: () => heard,
      handle: () => undefined,
    }
    await new Promise<void>((resolve) => {
      const pinger = new Pinger({
        clusters: () => [cluster],
        echo: () => {
          asked.push(rounds)
          if (rounds >= 31) heard = false
          if (rounds >= 33) {
            pinger.stop()
            resolve()
          }
          return Promise.resolve({ kind: 'silent' })
        },
        intervalMs: 5,
        log: recordingLog(),
      })
      pinger.start()
    })
    assert.deepEqual(asked, [1, 31, 32, 33])
  })

  describe('of a fleet', () => {
    /** Runs so many rounds of a second each. @returns which addresses were pinged, by round */
    const roundsOf = async (
      rounds: number,
      { nodes, hears }: { nodes: number; hears: (round: number, address: string) => boolean },
    ): Promise<string[][]> => {
      mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
      try {
        const pinged: string[][] = [[]]
        let round = 0
        const clusters = Array.from({ length: nodes }, (_, at): Pinged => {
          const address = `10.${at >> 8}.0.${at & 255}`
          return {
            cluster: `pair-${at}`,
            members: [{ name: 'lb01', address, port: 7401, leastGeneration: 1 }],
            hears: () => hears(round, address),
            handle: () => undefined,
          }
        })
        const pinger = new Pinger({
          clusters: () => clusters,
          echo: (address) => {
            pinged.at(-1)?.push(address)
            return Promise.resolve({ kind: 'silent' })
          },
          intervalMs: 1000,
          log: recordingLog(),
        })
        pinger.start()
        // A round ends a moment before the next one begins.
        mock.timers.tick(999)
        while (round < rounds) {
          round += 1
          pinged.push([])
          await Promise.resolve()
          mock.timers.tick(1000)
        }
        pinger.stop()
        return pinged
      } finally {
        mock.timers.reset()
      }
    }

    it('pings few while the agents come back after a start, because the handshakes need the processor', async () => {
      const pinged = await roundsOf(14, { nodes: 800, hears: () => false })
      assert.ok(Math.max(...pinged.map(({ length }) => length)) <= 4)
    })

    it('pings twenty a second at most, whatever number is silent, and each in its turn', async () => {
      const pinged = (await roundsOf(60, { nodes: 800, hears: () => false })).slice(16)
      assert.ok(Math.max(...pinged.map(({ length }) => length)) <= 20)
      const all = pinged.flat()
      assert.ok(all.length > 700, `${all.length}`)
      assert.ok(new Set(all).size > 700, 'nobody is pinged again before the others were')
    })

    it('pings the silent one in each round, however many others are heard', async () => {
      const pinged = await roundsOf(40, { nodes: 800, hears: (_, address) => address !== '10.1.0.7' })
      for (const round of pinged.slice(16, 40)) assert.ok(round.includes('10.1.0.7'))
    })
  })
})
