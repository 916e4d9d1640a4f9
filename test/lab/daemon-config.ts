/** witness.yaml and agent.yaml of a lab, as docs/OPERATING.md tells an admin to write them. */
import { addressOf, cluster, nodes, witnessUrl, type LabNode } from './address-plan.ts'
import { runFolder } from './keepalived-config.ts'
import { pidFile, serviceCommands, vrrpPidFile } from './keepalived-service.ts'
import { labMount } from './namespace-host.ts'

/** Seen inside the hosts. */
export const tokenFile = `${labMount}/token`
export const apiHeaderFile = `${labMount}/api.header`

export function witnessConfig(): string {
  return `listen: 0.0.0.0:7400
dataDir: ${labMount}/witness/data
runDir: ${runFolder}
tokenFile: ${tokenFile}
clusters:
  ${cluster}:
    nodes:
${nodes.map((node) => `      ${node}: { address: ${addressOf[node]} }`).join('\n')}
`
}

export function agentConfig(node: LabNode): string {
  const service = serviceCommands(node)
  return `cluster: ${cluster}
node: ${node}
witness: ${witnessUrl}
tokenFile: ${tokenFile}
listen: 0.0.0.0:7401
stateDir: ${stateFolderOf(node)}
runDir: ${runFolder}
keepalived:
  config: ${labMount}/${node}/keepalived.conf
  pidFile: ${pidFile}
  vrrpPidFile: ${vrrpPidFile}
  program: keepalived
  dumpFile: /tmp/keepalived.json
  stopCommand: ${JSON.stringify(service.stop)}
  startCommand: ${JSON.stringify(service.start)}
`
}

/** The agent's disk: outlives a reboot of the host. Seen inside. */
export function stateFolderOf(node: LabNode): string {
  return `${labMount}/${node}/state`
}
