import { instance, vip, type LabNode } from './address-plan.ts'
import { type Arbiter } from './arbiter.ts'

/** lb01 is the one that keepalived prefers. */
export const priorities: Readonly<Record<LabNode, number>> = { lb01: 150, lb02: 100 }

/** advert_int; keepalived sends the first advert when it takes the VIP. */
export const advertIntervalMs = 1000

/** Where the agent and keepalived meet; as on a real host. */
export const runFolder = '/run/keepalived-witness'
/** Root-owned in every component, as `enable_script_security` wants it. */
export const checkPath = '/run/libexec/witness-check'

/** keepalived.conf of a node: with the witness, the lines that an admin adds; without, keepalived alone. */
export function keepalivedConfig(options: {
  node: LabNode
  arbiter: Arbiter
  preempt: boolean
  /** Without `track_file` and `track_script` in the instance, the bar and the check have no effect. */
  tracked: boolean
  stateFolder: string
}): string {
  const witness = options.arbiter === 'witness'
  const globals = witness
    ? `    vrrp_notify_fifo ${runFolder}/notify.fifo
    script_user root
    enable_script_security`
    : ''
  const trackers = witness
    ? `vrrp_track_file bar_${instance} {
    file ${runFolder}/${instance}.bar
    weight 0
}
vrrp_script witness_${instance} {
    script "${checkPath} --state-dir ${options.stateFolder} ${instance}"
    interval 1
    timeout 1
    fall 1
    rise 1
}`
    : ''
  const tracked =
    witness && options.tracked
      ? `    track_file {
        bar_${instance}
    }
    track_script {
        witness_${instance}
    }`
      : ''
  return `global_defs {
    router_id ${options.node}
${globals}
}
${trackers}
vrrp_instance ${instance} {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority ${priorities[options.node]}
    ${options.preempt ? '' : 'nopreempt'}
    advert_int ${advertIntervalMs / 1000}
    virtual_ipaddress {
        ${vip}/24
    }
${tracked}
}
`.replace(/\n\s*\n/g, '\n')
}
