import assert from 'node:assert/strict'
import { GatewayPing } from '../../../../agent/keepalived/gateway-ping.ts'
import type { Echo } from '../../../../shared/host/icmp.ts'

describe('GatewayPing', () => {
  it('takes one lost echo for chance, two for unreachable', async () => {
    const answered: Echo = { kind: 'answered', roundTripMs: 1 }
    const silent: Echo = { kind: 'silent' }
    const impossible: Echo = { kind: 'impossible', why: 'no ping' }
    const echoes = [answered, silent, answered, silent, silent, impossible]
    const changes: string[] = []
    const problems: string[] = []
    const gateway = new GatewayPing({
      address: '10.0.0.1',
      echo: () => Promise.resolve(echoes.shift() ?? silent),
      onChange: (state) => changes.push(state),
      problem: (_what, text) => problems.push(text),
    })
    try {
      while (echoes.length > 0) await gateway.ask()
    } finally {
      gateway.close()
    }
    assert.deepEqual(changes, ['reachable', 'unreachable', 'unknown'])
    assert.deepEqual(problems, ['the gateway 10.0.0.1 cannot be pinged from this host: no ping'])
  })
})
