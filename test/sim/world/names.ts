/** The names in a simulation. */
export const cluster = 'sim'
export const instance = 'VI_1'
export const vip = '192.0.2.100'
export const nodeNames = ['lb01', 'lb02'] as const
export const witnessHostName = 'witness'
