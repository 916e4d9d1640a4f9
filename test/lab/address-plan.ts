/** Names and addresses of a lab. Several labs can run in parallel, because each has namespaces of its own. */
export const nodes = ['lb01', 'lb02'] as const
export type LabNode = (typeof nodes)[number]
export const hosts = [...nodes, 'witness', 'client'] as const
export type LabHost = (typeof hosts)[number]

export const addressOf: Readonly<Record<LabHost, string>> = {
  lb01: '10.0.0.11',
  lb02: '10.0.0.12',
  witness: '10.0.0.20',
  client: '10.0.0.30',
}

/** The switch itself. */
export const gatewayAddress = '10.0.0.1'
export const vip = '10.0.0.100'
export const pagePort = 8080
export const cluster = 'web'
export const instance = 'VI_1'
/** What lb02 calls the same instance in scenarios whose nodes name it differently. */
export const otherName = 'GW-NODE-2'

/** Whether a node means the lab's instance by this name. */
export function isInstance(name: string): boolean {
  return name === instance || name === otherName
}

export const witnessUrl = `https://${addressOf.witness}:7400`

export function peerOf(node: LabNode): LabNode {
  return node === 'lb01' ? 'lb02' : 'lb01'
}
