/**
 * Power, reboots and programs of the hosts, noted for the invariants: what hampers the product before it is done, what
 * frees it after.
 */
import type { ProgramName } from '../invariants/facts.ts'
import { nodes } from '../lab/address-plan.ts'
import { type HostName, type HostsLab } from './hosts-lab.ts'

/** Kills everything on the host at once and takes its port down. */
export async function pullPower(lab: HostsLab, name: HostName): Promise<void> {
  noteEnd(lab, name)
  const node = nodes.find((each) => each === name)
  const pulled = lab.host(name).pullPower()
  if (node !== undefined) lab.observer.powerLost(node, Date.now())
  await pulled
}

export async function powerOn(lab: HostsLab, name: HostName): Promise<void> {
  await lab.host(name).powerOn()
  noteBoot(lab, name)
}

/** The admin's `systemctl reboot`. */
export async function reboot(lab: HostsLab, name: HostName): Promise<void> {
  noteEnd(lab, name)
  await lab.host(name).reboot()
  noteBoot(lab, name)
}

function noteEnd(lab: HostsLab, host: HostName): void {
  const programs: readonly ProgramName[] = host === 'witness' ? ['witness'] : ['agent', 'keepalived']
  for (const program of programs) lab.notes.note({ type: 'program', host, program, state: 'ended' })
}

/** An agent's own log shows that it runs. */
export function noteBoot(lab: HostsLab, host: HostName): void {
  const program = host === 'witness' ? 'witness' : 'keepalived'
  lab.notes.note({ type: 'program', host, program, state: 'running' })
}
