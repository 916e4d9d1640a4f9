/** Where keepalived has its files if nobody says otherwise, which is also what agent.yaml has by default. */
export const usualConfig = '/etc/keepalived/keepalived.conf'
export const usualPidFile = '/run/keepalived.pid'
export const usualDumpFile = '/tmp/keepalived.json'
export const usualStatsFile = '/tmp/keepalived.stats'
