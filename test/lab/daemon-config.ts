/** witness.yaml and agent.yaml of a lab, as docs/operating/options.md describes them for an admin. */
import { type Timing } from '../../shared/core/timing.ts'
import { cluster, gatewayAddress, witnessUrl, type LabNode } from './address-plan.ts'
import { runFolder } from './keepalived-config.ts'
import { pidFile, serviceCommands, vrrpPidFile } from './keepalived-service.ts'
import { labMount } from './namespace-host.ts'

/** Seen inside the hosts. */
export const witnessDataFolder = `${labMount}/witness/data`
/** Where witnessd puts the identity of its admin. */
export const adminFolder = `${witnessDataFolder}/admin`

export function witnessConfig({ gate, delegateAfterMs }: Pick<Timing, 'gate' | 'delegateAfterMs'>): string {
  return `listen: 0.0.0.0:7400
dataDir: ${witnessDataFolder}
runDir: ${runFolder}
clusters:
  ${cluster}:
    gate: ${gate}
    timing: { delegateAfterMs: ${delegateAfterMs} }
`
}

/**
 * @param options.gateway whether the agent has a gateway to watch
 * @param options.configId keepalived's `-i`; null: none
 */
export function agentConfig(node: LabNode, options: { gateway: boolean; configId: string | null }): string {
  const service = serviceCommands(node)
  return `cluster: ${cluster}
node: ${node}
witness: ${witnessUrl}
listen: 0.0.0.0:7401
stateDir: ${stateFolderOf(node)}
runDir: ${runFolder}
${options.gateway ? `gateway: ${gatewayAddress}\n` : ''}keepalived:
  config: ${labMount}/${node}/keepalived.conf
  pidFile: ${pidFile}
  vrrpPidFile: ${vrrpPidFile}
${options.configId === null ? '' : `  configId: ${options.configId}\n`}  program: keepalived
  dumpFile: /tmp/keepalived.json
  stopCommand: ${JSON.stringify(service.stop)}
  startCommand: ${JSON.stringify(service.start)}
`
}

/** The agent's disk: outlives a reboot of the host. Seen inside. */
export function stateFolderOf(node: LabNode): string {
  return `${labMount}/${node}/state`
}
