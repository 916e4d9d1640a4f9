/** An installation by a script: both nodes join without anybody waiting for one of them, and nobody ran `setup` yet. */
import assert from 'node:assert/strict'
import { nodes, peerOf, type LabNode } from '../lab/address-plan.ts'
import { pause } from '../lab/pause.ts'
import { ownershipFigures, type OwnershipFigures } from '../lab/vip-ownership.ts'
import { hostNames, type HostName, type HostsLab } from './hosts-lab.ts'

export interface ScriptedInstall {
  /** Which node joins first. */
  readonly first: LabNode
  /** Between the two joins. */
  readonly gapMs: number
}

/** Longer than every wait of a voter after its first start, and than keepalived needs to take a VIP over. */
const watchMs = 8000
const leaseIsOverMs = 3000

/** @returns what happened to the VIP from the first join on, and when that was */
export async function installByScript(
  lab: HostsLab,
  { first, gapMs }: ScriptedInstall,
): Promise<OwnershipFigures & { readonly fromMs: number }> {
  const second = peerOf(first)
  await Promise.all(
    hostNames.map((name) => type(lab, name, 'sudo apt-get install --yes ./keepalived-witness_*.deb')),
  )
  await type(lab, 'witness', 'sudo systemctl enable --now witnessd')
  const invites = { lb01: await invite(lab, 'lb01'), lb02: await invite(lab, 'lb02') }
  const fromMs = Date.now()
  await Promise.all([
    type(lab, first, 'sudo witness-agent join', invites[first]),
    pause(gapMs).then(() => type(lab, second, 'sudo witness-agent join', invites[second])),
  ])
  await pause(watchMs)
  return { fromMs, ...ownershipFigures(lab.observer.changes(), { fromMs, toMs: Date.now() }) }
}

/** What the agents of both nodes logged since then. */
export async function agentLogs(lab: HostsLab, sinceMs: number): Promise<string> {
  const since = ['--since', `@${Math.floor(sinceMs / 1000)}`]
  const logs = nodes.map((node) =>
    lab.host(node).run('journalctl', '--no-pager', ...since, '-u', 'witness-agent'),
  )
  return (await Promise.all(logs)).join('\n')
}

const purge = 'sudo apt-get purge --yes keepalived-witness'

/** Without `setup --undo`, because keepalived.conf never had the lines. */
export async function purgeEverywhere(lab: HostsLab): Promise<void> {
  await Promise.all(nodes.map((name) => type(lab, name, purge)))
  await type(lab, 'witness', purge)
}

/**
 * By somebody who does not know of an order: the witness is tried first, and again after each node.
 * @returns what happened to the VIP, and which tries on the witness were refused
 */
export async function purgeInNoOrder(
  lab: HostsLab,
  { standby }: { standby: LabNode },
): Promise<OwnershipFigures & { readonly refusals: readonly string[] }> {
  const fromMs = Date.now()
  const refusals: string[] = []
  const tryWitness = async (): Promise<void> => {
    const { code, stdout, stderr } = await lab.host('witness').type(purge, '')
    if (code !== 0) refusals.push(`${stdout}${stderr}`)
  }
  await tryWitness()
  for (const node of [standby, peerOf(standby)]) {
    await type(lab, node, purge)
    // Longer than a lease, so that an agent without a majority would have fenced its node.
    await pause(leaseIsOverMs)
    await tryWitness()
  }
  return { refusals, ...ownershipFigures(lab.observer.changes(), { fromMs, toMs: Date.now() }) }
}

async function invite(lab: HostsLab, node: LabNode): Promise<string> {
  const output = await type(lab, 'witness', `sudo witnessctl invite --cluster web --node ${node}`)
  const line = /^kw1\.\S+$/m.exec(output)?.[0]
  assert.ok(line !== undefined, `no invite for ${node}: ${output}`)
  return `${line}\n`
}

async function type(lab: HostsLab, host: HostName, line: string, input = ''): Promise<string> {
  const { code, stdout, stderr } = await lab.host(host).type(line, input)
  assert.equal(code, 0, `${host}: ${line}: ${stdout}${stderr}`)
  return `${stdout}${stderr}`
}
