/**
 * The hosts' own firewalls. VRRP is IP protocol 112; guides that forget it in firewalld cause the classic split brain.
 */
import { type NamespaceHost } from './namespace-host.ts'

/** The host no longer hears VRRP adverts (it still sends its own). */
export async function dropVrrpAt(host: NamespaceHost): Promise<void> {
  await host.nft(
    `table ip firewall {
       chain input {
         type filter hook input priority 0
         ip protocol 112 drop
       }
     }\n`,
  )
}

export async function admitVrrpAt(host: NamespaceHost): Promise<void> {
  await host.nft('delete table ip firewall\n')
}

/** firewalld's default: the peer's agent cannot dial this one. */
export async function closeAgentPortAt(host: NamespaceHost): Promise<void> {
  await host.nft(
    `table inet closed_port {
       chain input {
         type filter hook input priority 0
         tcp dport 7401 drop
       }
     }\n`,
  )
}
