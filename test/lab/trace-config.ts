/** keepalived alone on a host of a trace: its configuration, its check script, and where its files are. */
import { fifoLine, scriptSecurity, scriptUser } from '../../agent/keepalived-conf/product-lines.ts'
import { type TraceConf } from '../sim/models/keepalived-trace.ts'
import { instance, vip } from './address-plan.ts'
import { runFolder } from './keepalived-config.ts'

export const traceFifo = `${runFolder}/notify.fifo`
export const traceBar = `${runFolder}/${instance}.bar`
/** What the check script does: an exit code, or "hang". */
export const checkWord = `${runFolder}/check-says`
/** The same for the script with a weight. */
export const appWord = `${runFolder}/app-says`
/** Root-owned in every component, as `enable_script_security` wants it. */
export const traceCheckPath = '/run/libexec/trace-check'

export const traceCheckScript = `#!/bin/sh
read -r word <"\${1:-${checkWord}}"
[ "$word" = hang ] && exec sleep 1000
exit "$word"
`

export function traceConfig(conf: TraceConf): string {
  const { check, app, downTimerAdverts } = conf
  const scripts = [
    ...(check === null ? [] : [scriptBlock('check', traceCheckPath, check)]),
    ...(app === undefined ? [] : [scriptBlock('app', `"${traceCheckPath} ${appWord}"`, app)]),
  ]
  const tracked = [...(check === null ? [] : ['check']), ...(app === undefined ? [] : ['app'])]
  return `global_defs {
    ${scriptUser}
    ${scriptSecurity}
    ${fifoLine('vrrp_notify_fifo', { runDir: runFolder, namesUser: false })}
    vrrp_notify_priority_changes true
}
track_file bar {
    file ${traceBar}
    weight 0
}
${scripts.join('')}vrrp_instance ${instance} {
    state ${conf.initial}
    interface eth0
    virtual_router_id 51
    priority ${conf.priority}
    advert_int ${conf.advertIntMs / 1000}
    ${conf.nopreempt ? 'nopreempt\n    ' : ''}${downTimerAdverts === undefined ? '' : `down_timer_adverts ${downTimerAdverts}\n    `}virtual_ipaddress {
        ${vip}/24
    }
    track_file {
        bar
    }
${tracked.length === 0 ? '' : `    track_script {\n        ${tracked.join('\n        ')}\n    }\n`}}
`
}

function scriptBlock(
  name: string,
  script: string,
  settings: { intervalMs: number; timeoutMs: number; fall: number; rise: number; weight?: number },
): string {
  const { intervalMs, timeoutMs, fall, rise, weight } = settings
  return `vrrp_script ${name} {
    script ${script}
    interval ${intervalMs / 1000}
    timeout ${timeoutMs / 1000}
    fall ${fall}
    rise ${rise}
${weight === undefined ? '' : `    weight ${weight}\n`}}
`
}
