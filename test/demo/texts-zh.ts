import { durationText } from './duration.ts'
import { type Fact } from './story.ts'
import { type Texts } from './texts.ts'
import { type Broken } from './verdict.ts'

export const zh: Texts = {
  title: 'keepalived-witness：脑裂是怎样发生的，又是怎样结束的',
  intro:
    '本机用网络命名空间搭起两对主机：一对只有 keepalived，另一对加上 witness（见证节点）。两对都由 lb01 持有虚拟 IP（VIP），' +
    'lb02 待命；客户端每 20 ms 访问一次 VIP 上的页面。随后，防火墙规则丢弃它们之间的 VRRP 报文。' +
    'keepalived 是真的，程序也是真的。',
  building: '正在构建程序。',
  sudo: '创建网络命名空间需要 root 权限：改用 sudo 继续。',
  noSudo: (command) =>
    `演示要创建网络命名空间，需要 root 权限，而这里无法使用 sudo。请以 root 身份运行：${command}`,
  packagesFailed: '缺少演示所需的程序，上面几行说明了缺少哪些。',
  booting: '正在启动八台主机和两台交换机，以及 keepalived、agent 和 witness。',
  warm: (seconds) => `两对主机均已就绪（${seconds}）。等待 6 秒，让 keepalived 发完通告。`,
  blocked: '现在，防火墙规则在所有节点上丢弃 VRRP（IP 协议 112）。',
  admitted: '规则已删除。再观察 12 秒。',
  pair: { none: '只有 keepalived', witness: '加上 witness' },
  live: {
    splits: (node) => `${node} 也占用了 VIP：脑裂`,
    ends: (node, split) => `${node} 放弃了 VIP；两个节点同时持有 VIP 共 ${split}`,
    gained: (node) => `${node} 取得 VIP`,
    lost: (node) => `${node} 不再持有 VIP`,
  },
  chapters: {
    alone: '1. 只有 keepalived',
    witness: '2. 同样的故障，加上 witness',
    compared: '3. 对比',
  },
  marks: { blocked: 'VRRP 被阻断', admitted: '阻断结束' },
  legend:
    '█ 持有 VIP   ▌ 只在该列的一部分时间持有   · 未持有   （3 列 = 1 秒）\n' +
    '客户端：1、2 = 由 lb01、lb02 应答，* = 两者都应答，! = 有一次访问无应答',
  client: '客户端',
  actors: {
    firewall: '防火墙',
    client: '客户端',
    both: '两个节点',
    witness: 'witness',
    lb01: 'lb01',
    lb02: 'lb02',
    'lb01 agent': 'lb01 agent',
    'lb02 agent': 'lb02 agent',
  },
  fact: factText,
  sources:
    'lb01 和 lb02 的时刻取自各自的内核；agent 和 witness 的各行是 witness 保存的事件，时刻为 witness 得知之时（同一台机器，同一个时钟）。',
  table: {
    overlap: '两个节点同时持有 VIP',
    outage: '无人持有 VIP',
    wrong: '来自错误节点的应答',
    of: (count, total) => `${count} / ${total}`,
    darkDuring: '客户端最长无应答：阻断期间',
    darkAfter: '                  阻断之后',
    owner: '阻断结束时持有 VIP 的节点',
    nobody: '无',
    both: '两个都是',
  },
  loserStory: (state) => `阻断结束后，lb02 的 agent 重新启动了 keepalived：现在是 ${state}。`,
  proved: '刚刚测得：没有 witness 时发生脑裂；有 witness 时脑裂结束。',
  broken: '这次运行没有显示出演示应有的结果：',
  brokenPromise,
  keep: {
    intro: '带 witness 的这一对主机继续运行。可在另一个终端粘贴以下命令：',
    status: 'witness 看到的情况',
    events: '发生过什么，以及接下来发生什么',
    page: 'VIP 上的页面会说明由谁应答',
    owners: 'lb01 和 lb02 的地址',
    block: '再次阻断 VRRP',
    admit: '结束阻断',
    inside: '进入 lb02 的 shell',
    end: '结束实验环境：在此按 Ctrl-C，或',
    logs: (path) => `日志和配置：${path}`,
  },
  ended: '实验环境已清除。',
  failed: (reason) => `演示失败：${reason}`,
}

function factText(fact: Fact): string {
  switch (fact.kind) {
    case 'blocked':
      return '开始丢弃 VRRP：两个节点互相听不到'
    case 'admitted':
      return '重新放行 VRRP'
    case 'takes-vip':
      return fact.beside === null
        ? 'keepalived 成为 MASTER，内核中有了 VIP'
        : `keepalived 收不到通告，成为 MASTER 并占用 VIP，而 ${fact.beside} 也持有它：脑裂`
    case 'loses-vip':
      return losesVip(fact)
    case 'still-split':
      return `两个节点都是 MASTER，已持续 ${durationText(fact.forMs)}；没有任何机制来结束它`
    case 'gives-up':
      return `租约在 ${fact.to} 手中，本节点放弃 VIP`
    case 'sees-two':
      return `发现两个 MASTER，命令 ${fact.loser} 停止`
    case 'proof':
      return `证明：决定之后 ${durationText(fact.tookMs)}，VIP 已从内核消失（第“${fact.rung}”级）；随后停止 keepalived`
    case 'sees-one':
      return `只有一个 MASTER：${fact.holder}`
    case 'announces':
      return `${fact.rival} 已放手；重新通告 VIP，让客户端跟过来`
    case 'starts-again':
      return '重新启动 keepalived'
    case 'back-in':
      return '允许 keepalived 重新参与'
    case 'other-answers':
      return `此时起由 ${fact.node} 应答`
    case 'dark':
      return fact.toTheEnd
        ? `再也得不到应答，直到观察结束，共 ${durationText(fact.forMs)}`
        : `有 ${durationText(fact.forMs)} 得不到应答`
    case 'event':
      return fact.text
  }
}

function losesVip(fact: Fact & { kind: 'loses-vip' }): string {
  const held = fact.heldMs === null ? '' : `，距其出现 ${durationText(fact.heldMs)}`
  return fact.settled
    ? `重新听到 ${fact.beside ?? '对方'}，变为 BACKUP；VIP 消失${held}`
    : `VIP 从内核消失${held}`
}

function brokenPromise(broken: Broken): string {
  switch (broken.promise) {
    case 'alone-splits':
      return `只有 keepalived 时，脑裂本应持续到阻断结束；两个节点同时持有 VIP 共 ${durationText(broken.seenMs)}`
    case 'split-came':
      return `加上 witness 时，lb02 在阻断期间本应尝试一次成为 MASTER；实际 ${broken.times} 次`
    case 'witness-ends-split':
      return `witness 本应在 250 ms 内结束脑裂；实际持续了 ${durationText(broken.seenMs)}`
    case 'never-without-owner':
      return `加上 witness 时，有 ${durationText(broken.seenMs)} 无人持有 VIP`
    case 'holder-keeps-vip':
      return `加上 witness 时，阻断结束之际本应只有 lb01 持有 VIP；实际：${broken.seen || '无'}`
    case 'loser-fenced-once':
      return `lb02 本应放弃 VIP 一次；实际 ${broken.times} 次`
    case 'loser-stopped':
      return '阻断期间 lb02 上的 keepalived 本应被停止；实际仍在运行'
    case 'one-owner-at-end':
      return `阻断之后本应只有 lb01 持有 VIP；实际：${broken.seen || '无'}`
    case 'loser-back':
      return `lb02 上的 keepalived 本应恢复为 BACKUP；实际为 ${broken.seen}`
  }
}
