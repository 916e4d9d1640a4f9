import type { ClusterView, EventView, NodeInstanceView, NodeView } from '../../../../shared/protocol/view.ts'

export function nodeInstance(changes: Partial<NodeInstanceView> = {}): NodeInstanceView {
  return {
    instance: 'VI_1',
    keepalived: 'BACKUP',
    process: 'running',
    vips: 'gone',
    phase: 'standby',
    why: 'lb01 has the lease',
    allowed: 'may become MASTER',
    priority: 100,
    epoch: 7,
    checkSilentMs: 400,
    peerSilentMs: 120,
    fence: null,
    ...changes,
  }
}

export function node(name: string, changes: Partial<NodeView> = {}): NodeView {
  return {
    node: name,
    address: '10.0.0.11',
    connected: true,
    mode: 'enforce',
    software: '0.1.0',
    heartbeatAgeMs: 212,
    icmp: { roundTripMs: 0.31, lossPercent: 0 },
    instances: [nodeInstance()],
    warnings: [],
    lastDrill: null,
    ...changes,
  }
}

export function cluster(changes: Partial<ClusterView> = {}): ClusterView {
  return {
    cluster: 'web',
    verdict: { level: 'ok', text: 'VI_1: lb01 is MASTER and has the lease.' },
    instances: [
      {
        instance: 'VI_1',
        vips: ['10.0.0.100/24'],
        situation: 'normal',
        text: 'lb01 is MASTER and has the lease.',
        holder: 'lb01',
        epoch: 7,
        promiseLeftMs: 1500,
      },
    ],
    nodes: [
      node('lb01', {
        instances: [
          nodeInstance({ keepalived: 'MASTER', vips: 'held', phase: 'holding', allowed: 'holds the lease' }),
        ],
      }),
      node('lb02'),
    ],
    refusedMessages: {},
    ...changes,
  }
}

export function event(id: number, changes: Partial<EventView> = {}): EventView {
  return {
    id,
    at: `2026-01-02T03:04:0${id}.000Z`,
    cluster: 'web',
    event: 'fenced',
    level: 'critical',
    instance: 'VI_1',
    node: 'lb02',
    text: `fence ${id} proved`,
    evidence: { epoch: 7 },
    decision: 'lb01 announces',
    ...changes,
  }
}
