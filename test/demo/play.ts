/** What `--keep` prints: commands to paste, for the running lab. Pure. */
import { pagePort, vip, type LabHost } from '../lab/address-plan.ts'
import { adminFolder } from '../lab/daemon-config.ts'
import { productMount } from '../lab/namespace-host.ts'
import { displayWidth } from './display-width.ts'
import { type Texts } from './texts.ts'

export interface Standing {
  /** The init of each host; what `nsenter -t` wants. */
  readonly initPids: Readonly<Record<LabHost, number>>
  readonly folder: string
  /** The node that runs the programs. */
  readonly nodePath: string
  /** The process that a signal ends. */
  readonly demoPid: number
  /** Before each command, if the reader is not root: `sudo `. */
  readonly prefix: string
}

/** The same rule as the lab's own fault, so that each can undo the other. */
const block =
  'table ip firewall { chain input { type filter hook input priority 0; ip protocol 112 drop; }; }'

export function playCommands(standing: Standing, texts: Texts): string {
  const { initPids, prefix, nodePath, demoPid, folder } = standing
  const { keep } = texts
  const inside = (host: LabHost): string => `${prefix}nsenter -t ${initPids[host]} -a`
  const witnessctl = `${inside('witness')} ${nodePath} ${productMount}/witnessctl.cjs --identity ${adminFolder}`
  const onBoth = (command: string): string =>
    `for pid in ${initPids.lb01} ${initPids.lb02}; do ${prefix}nsenter -t $pid -a ${command}; done`
  const commands: readonly (readonly [string, string])[] = [
    [keep.status, `${witnessctl} status`],
    [keep.events, `${witnessctl} events --follow`],
    [keep.page, `${inside('client')} curl -s http://${vip}:${pagePort}`],
    [keep.owners, onBoth('ip -br address show dev eth0')],
    [keep.block, onBoth(`nft '${block}'`)],
    [keep.admit, onBoth('nft delete table ip firewall')],
    [keep.inside, `${inside('lb02')} bash`],
    [keep.end, `${prefix}kill -INT ${demoPid}`],
  ]
  const lines = commands.flatMap(([what, command]) => ['', `# ${what}`, command])
  return [keep.intro, '-'.repeat(displayWidth(keep.intro)), keep.logs(folder), ...lines].join('\n')
}
