import { durationText } from './duration.ts'
import { type Fact } from './story.ts'
import { type Texts } from './texts.ts'
import { type Broken } from './verdict.ts'

export const en: Texts = {
  title: 'keepalived-witness: split brain, and how it ends',
  intro:
    'Two pairs of hosts, built from network namespaces on this machine: one with keepalived alone, one with the ' +
    'witness. In both, lb01 has the virtual IP (VIP) and lb02 stands by; a client fetches a page from the VIP every ' +
    '20 ms. Then a firewall rule drops VRRP between them. keepalived and all programs are the real ones.',
  building: 'Building the programs.',
  sudo: 'Network namespaces need root, so this continues with sudo.',
  noSudo: (command) =>
    `The demo creates network namespaces, which needs root, and sudo cannot be used here. Run as root: ${command}`,
  packagesFailed: 'A program that the demo needs is missing; the lines above say which.',
  booting: 'Booting eight hosts and two switches; starting keepalived, agents and the witness.',
  warm: (seconds) =>
    `Both pairs are up (${seconds}). Waiting 6 s until keepalived has finished announcing the VIP.`,
  blocked: 'NOW a firewall rule drops VRRP (IP protocol 112) on all nodes.',
  admitted: 'The rule is removed. Watching for another 12 s.',
  pair: { none: 'keepalived alone', witness: 'with the witness' },
  live: {
    splits: (node) => `${node} takes the VIP too: SPLIT BRAIN`,
    ends: (node, split) => `${node} releases the VIP; two nodes had it for ${split}`,
    gained: (node) => `${node} takes the VIP`,
    lost: (node) => `${node} no longer has the VIP`,
  },
  chapters: {
    alone: '1. keepalived alone',
    witness: '2. The same, with the witness',
    compared: '3. Compared',
  },
  marks: { blocked: 'VRRP blocked', admitted: 'block ends' },
  legend:
    '█ has the VIP   ▌ for part of the column   · does not have it   (3 columns = 1 s)\n' +
    'client: answered by lb01 (1), lb02 (2), both (*); ! an attempt got no answer',
  client: 'client',
  actors: {
    firewall: 'firewall',
    client: 'client',
    both: 'both nodes',
    witness: 'witness',
    lb01: 'lb01',
    lb02: 'lb02',
    'lb01 agent': 'lb01 agent',
    'lb02 agent': 'lb02 agent',
  },
  fact: factText,
  sources:
    'The times of lb01 and lb02 are those of their kernels; the lines of agents and witness are the events that the ' +
    'witness keeps, at the time at which it learnt of them (same machine, same clock).',
  table: {
    overlap: 'two nodes had the VIP',
    outage: 'nobody had the VIP',
    wrong: 'answers from the wrong node',
    of: (count, total) => `${count} of ${total}`,
    darkDuring: 'client unanswered, longest: in the block',
    darkAfter: '                            after it',
    owner: 'has the VIP at the end of the block',
    nobody: 'nobody',
    both: 'both',
  },
  loserStory: (state) => `After the block, the agent of lb02 started keepalived again: it is ${state}.`,
  proved: 'Measured just now: split brain without the witness, and an end to it with the witness.',
  broken: 'This run does not show what the demo promises:',
  brokenPromise,
  keep: {
    intro: 'The pair with the witness stays up. To try it out, paste these in another terminal:',
    status: 'what the witness sees',
    events: 'what happened, and what happens next',
    page: 'the page behind the VIP shows which node answers',
    owners: 'the addresses of lb01 and lb02',
    block: 'block VRRP again',
    admit: 'end the block',
    inside: 'a shell inside lb02',
    end: 'end the lab: Ctrl-C here, or',
    logs: (path) => `Logs and configurations: ${path}`,
  },
  ended: 'The lab is gone.',
  failed: (reason) => `The demo failed: ${reason}`,
}

function factText(fact: Fact): string {
  switch (fact.kind) {
    case 'blocked':
      return 'drops VRRP from now on, so neither node hears the other'
    case 'admitted':
      return 'lets VRRP through again'
    case 'takes-vip':
      return fact.beside === null
        ? 'keepalived becomes MASTER; the kernel has the VIP'
        : `keepalived hears no adverts, becomes MASTER and takes the VIP, which ${fact.beside} also has: split brain`
    case 'loses-vip':
      return losesVip(fact)
    case 'still-split':
      return `both have been MASTER for ${durationText(fact.forMs)} now; nothing would end this`
    case 'gives-up':
      return `${fact.to} has the lease, so this node releases the VIP`
    case 'sees-two':
      return `two nodes are MASTER; orders ${fact.loser} to stop`
    case 'proof':
      return `proves that the VIP is gone from the kernel ${durationText(fact.tookMs)} after the decision (rung "${fact.rung}"); then stops keepalived`
    case 'sees-one':
      return `one MASTER: ${fact.holder}`
    case 'announces':
      return `${fact.rival} has released the VIP; announces it again so that clients follow`
    case 'starts-again':
      return 'starts keepalived again'
    case 'back-in':
      return 'lets keepalived take part in VRRP again'
    case 'other-answers':
      return `is now answered by ${fact.node}`
    case 'dark':
      return fact.toTheEnd
        ? `gets no answer for ${durationText(fact.forMs)}, until the observation ends`
        : `gets no answer for ${durationText(fact.forMs)}`
    case 'event':
      return fact.text
  }
}

function losesVip(fact: Fact & { kind: 'loses-vip' }): string {
  const held = fact.heldMs === null ? '' : ` ${durationText(fact.heldMs)} after it was taken`
  return fact.settled
    ? `hears ${fact.beside ?? 'the other node'} again and becomes BACKUP; the VIP is gone${held}`
    : `the VIP is gone from the kernel${held}`
}

function brokenPromise(broken: Broken): string {
  switch (broken.promise) {
    case 'alone-splits':
      return `keepalived alone should have stayed in split brain until the block ended; two nodes had the VIP for ${durationText(broken.seenMs)}`
    case 'split-came':
      return `with the witness, lb02 should have tried to become MASTER once during the block; it did so ${broken.times} times`
    case 'witness-ends-split':
      return `the witness should have ended the split within 250 ms; it lasted ${durationText(broken.seenMs)}`
    case 'never-without-owner':
      return `with the witness, nobody had the VIP for ${durationText(broken.seenMs)}`
    case 'holder-keeps-vip':
      return `with the witness, lb01 alone should have had the VIP at the end of the block; these had it: ${broken.seen || 'nobody'}`
    case 'loser-fenced-once':
      return `lb02 should have released the VIP once; it did so ${broken.times} times`
    case 'loser-stopped':
      return 'keepalived on lb02 should have been stopped during the block; it was running'
    case 'one-owner-at-end':
      return `after the block lb01 alone should have the VIP; these have it: ${broken.seen || 'nobody'}`
    case 'loser-back':
      return `keepalived on lb02 should be back as BACKUP; it is ${broken.seen}`
  }
}
