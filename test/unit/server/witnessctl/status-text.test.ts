import assert from 'node:assert/strict'
import type { DrillView } from '../../../../shared/protocol/view.ts'
import { painter } from '../../../../server/witnessctl/paint.ts'
import { renderStatus } from '../../../../server/witnessctl/status-text.ts'
import { cluster, node, nodeInstance } from './example-views.ts'

const plain = painter({ isTty: false, noColor: undefined })

describe('status-text', () => {
  it('shows a healthy pair in a verdict and two rows', () => {
    assert.deepEqual(renderStatus(cluster(), plain).split('\n'), [
      'OK  web: VI_1: lb01 is MASTER and has the lease.',
      '',
      'NODE  INSTANCE  STATE   ALLOWED            VIP   HEARTBEAT  ICMP               EPOCH',
      'lb01  VI_1      MASTER  holds the lease    held  0.2 s ago  0.31 ms, 0 % lost  7',
      'lb02  VI_1      BACKUP  may become MASTER  -     0.2 s ago  0.31 ms, 0 % lost  7',
      '',
      'Drill of lb01: none yet; run "witnessctl drill --node lb01" when it is the standby',
      'Drill of lb02: none yet; run "witnessctl drill --node lb02"',
      '',
    ])
  })

  it('shows the priority that keepalived runs with beside the configured one where they differ', () => {
    const lb01 = node('lb01', { instances: [nodeInstance({ priority: 90, configuredPriority: 150 })] })
    const lb02 = node('lb02', { instances: [nodeInstance({ localName: 'WEB', priorityMayDiffer: true })] })
    const text = renderStatus(cluster({ nodes: [lb01, lb02] }), plain)
    assert.ok(text.includes('\nPriority of lb01: VI_1 runs with 90, and keepalived.conf has 150\n'), text)
    assert.match(text, /\nPriority of lb02: WEB is 100 as far as is known; .* does not tell each change\n/)
    assert.doesNotMatch(text, /! .*priority/i)
    assert.doesNotMatch(renderStatus(cluster(), plain), /Priority/)
  })

  it('says when the last drill of a node passed, by which rungs, and in which time', () => {
    const lastDrill: DrillView = {
      at: '2026-11-21T12:00:00.000Z',
      instances: [
        {
          instance: 'VI_1',
          role: 'standby',
          rungs: [
            { rung: 'bar', proved: true, tookMs: 4 },
            { rung: 'stop', proved: true, tookMs: 1012 },
          ],
          backMs: 2300,
        },
      ],
    }
    const text = renderStatus(cluster({ nodes: [node('lb02', { lastDrill })] }), plain)
    assert.match(
      text,
      /^Drill of lb02: passed 2026-11-21 12:00:00\.000Z \(VI_1: bar 4 ms, stop 1012 ms, back after 2\.3 s\)$/m,
    )
  })

  it('says what needs attention, below the rows', () => {
    const view = cluster({
      verdict: { level: 'critical', text: 'VI_1: two nodes hold the VIP.' },
      nodes: [
        node('lb01', {
          instances: [
            nodeInstance({
              allowed: 'fenced',
              phase: 'fenced',
              why: 'lb02 has the lease',
              fence: { number: 3, reason: 'systemctl hangs', result: 'failed', rung: 'stop', tookMs: 230 },
            }),
          ],
        }),
        node('lb02', { warnings: ['keepalived on lb02 never runs the check'] }),
      ],
      witnessWarnings: ['its disk is slow'],
      refusedMessages: { replayed: 2, foreign: 0 },
    })
    const lines = renderStatus(view, plain).split('\n')
    assert.equal(lines[0], 'CRITICAL  web: VI_1: two nodes hold the VIP.')
    assert.deepEqual(lines.slice(5), [
      '',
      '! witness: its disk is slow',
      '! lb01 is fenced for VI_1: lb02 has the lease',
      '! lb01 could not release VI_1 (stop, after 0.2 s): systemctl hangs',
      '! lb02: keepalived on lb02 never runs the check',
      '',
      'Drill of lb01: none yet; run "witnessctl drill --node lb01"',
      'Drill of lb02: none yet; run "witnessctl drill --node lb02"',
      '',
      'Refused messages: replayed 2',
      '',
    ])
  })

  it('marks what a silent agent said as history', () => {
    const text = renderStatus(
      cluster({
        nodes: [
          node('lb01', {
            connected: false,
            heartbeatAgeMs: 754_000,
            icmp: { roundTripMs: null, lossPercent: 100 },
            instances: [nodeInstance({ keepalived: 'MASTER', vips: 'held', allowed: 'unknown' })],
          }),
        ],
      }),
      plain,
    )
    assert.match(
      text,
      /lb01 {2}VI_1 {6}was MASTER {2}unknown {2}was held {2}13 min ago {2}no answer, 100 % lost {2}7/,
    )
  })

  it('has a row for a node that never spoke', () => {
    const text = renderStatus(
      cluster({
        nodes: [
          node('lb01', {
            connected: false,
            mode: null,
            heartbeatAgeMs: null,
            icmp: { roundTripMs: null, lossPercent: null },
            instances: [],
          }),
        ],
      }),
      plain,
    )
    assert.match(text, /lb01 {2}- {9}- {6}unknown {2}- {4}never {6}not pinged yet {2}-/)
  })

  it('tells frozen processes and nodes that are only observed', () => {
    const text = renderStatus(
      cluster({
        nodes: [node('lb01', { mode: 'observe', instances: [nodeInstance({ process: 'frozen' })] })],
      }),
      plain,
    )
    assert.match(text, /BACKUP \(frozen\) {2}may become MASTER \(only observed\)/)
  })

  it('names further instances that are not normal', () => {
    const { instances } = cluster()
    const text = renderStatus(
      cluster({
        verdict: { level: 'critical', text: 'first' },
        instances: [
          { ...instances[0]!, situation: 'dual-master', text: 'first' },
          { ...instances[0]!, instance: 'VI_2', situation: 'no-master', text: 'nobody has the VIP' },
        ],
      }),
      plain,
    )
    assert.match(text, /^! VI_2: no-master: nobody has the VIP$/m)
    assert.doesNotMatch(text, /! VI_1/)
  })

  it('shows each instance by the name that its node has for it', () => {
    const { instances } = cluster()
    const text = renderStatus(
      cluster({
        instances: [
          {
            ...instances[0]!,
            names: { lb01: 'VI_1', lb02: 'VI_WEB' },
            situation: 'no-master',
            text: 'nobody',
          },
        ],
        nodes: [
          node('lb01'),
          node('lb02', { instances: [nodeInstance({ localName: 'VI_WEB', allowed: 'barred' })] }),
        ],
      }),
      plain,
    )
    assert.match(text, /^lb01 +VI_1 /m)
    assert.match(text, /^lb02 +VI_WEB /m)
    assert.match(text, /^! lb02 is barred for VI_WEB: /m)
    assert.match(text, /^! VI_1 on lb01 and VI_WEB on lb02: no-master: nobody$/m)
  })

  it('lets no control character of another host reach the terminal', () => {
    const text = renderStatus(
      cluster({
        verdict: { level: 'warning', text: 'evil \u001b]0;title\u0007 text' },
        nodes: [node('lb01', { warnings: ['\u001b[2J', 'line\nbreak', '\u202e'] })],
      }),
      plain,
    )
    // eslint-disable-next-line no-control-regex -- that is the point
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\u0000-\u001f\u007f\u202e]/)
    assert.match(text, /! lb01: line\?break/)
  })

  it('colours only terminals, and not against NO_COLOR', () => {
    // eslint-disable-next-line no-control-regex -- that is the point
    const escape = /\u001b\[/
    assert.match(renderStatus(cluster(), painter({ isTty: true, noColor: undefined })), escape)
    assert.match(renderStatus(cluster(), painter({ isTty: true, noColor: '' })), escape)
    assert.doesNotMatch(renderStatus(cluster(), painter({ isTty: true, noColor: '1' })), escape)
    assert.doesNotMatch(renderStatus(cluster(), plain), escape)
  })
})
