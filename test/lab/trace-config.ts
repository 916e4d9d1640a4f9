/** keepalived alone on a host of a trace: its configuration, its check script, and where its files are. */
import { fifoLine, scriptSecurity, scriptUser } from '../../agent/keepalived-conf/product-lines.ts'
import { type TraceConf } from '../sim/models/keepalived-trace.ts'
import { instance, vip } from './address-plan.ts'
import { runFolder } from './keepalived-config.ts'

export const traceFifo = `${runFolder}/notify.fifo`
export const traceBar = `${runFolder}/${instance}.bar`
/** What the check script does: an exit code, or "hang". */
export const checkWord = `${runFolder}/check-says`
/** Root-owned in every component, as `enable_script_security` wants it. */
export const traceCheckPath = '/run/libexec/trace-check'

export const traceCheckScript = `#!/bin/sh
read -r word <${checkWord}
[ "$word" = hang ] && exec sleep 1000
exit "$word"
`

export function traceConfig(conf: TraceConf): string {
  const { check } = conf
  const script =
    check === null
      ? ''
      : `vrrp_script check {
    script ${traceCheckPath}
    interval ${check.intervalMs / 1000}
    timeout ${check.timeoutMs / 1000}
    fall ${check.fall}
    rise ${check.rise}
}
`
  return `global_defs {
    ${scriptUser}
    ${scriptSecurity}
    ${fifoLine('vrrp_notify_fifo', { runDir: runFolder, namesUser: false })}
}
track_file bar {
    file ${traceBar}
    weight 0
}
${script}vrrp_instance ${instance} {
    state ${conf.initial}
    interface eth0
    virtual_router_id 51
    priority ${conf.priority}
    advert_int ${conf.advertIntMs / 1000}
    ${conf.nopreempt ? 'nopreempt\n    ' : ''}virtual_ipaddress {
        ${vip}/24
    }
    track_file {
        bar
    }
${check === null ? '' : '    track_script {\n        check\n    }\n'}}
`
}
