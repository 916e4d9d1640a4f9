/** The static_ipaddress blocks of keepalived.conf: addresses that keepalived puts up in every state. */
import { bareAddress, type Vip } from '../keepalived/vip.ts'
import { all, at, defaultConfigId, readStatements, type Statement } from './statements.ts'

/** Those that are VIPs as well. A file that cannot be read says nothing; those who need its instances report it. */
export function staticAddressesAmong(
  vips: readonly Vip[],
  { config, configId }: { readonly config: string; readonly configId: string | null },
): readonly { readonly address: string; readonly place: string }[] {
  let root: Statement[]
  try {
    root = readStatements(config, configId ?? defaultConfigId()).root
  } catch {
    return []
  }
  const wanted = new Set(vips.map(({ address }) => address))
  return all(root, 'static_ipaddress')
    .flatMap(({ block }) => block ?? [])
    .flatMap((line) => {
      const address = bareAddress(line.words[0] ?? '')
      return wanted.has(address) ? [{ address, place: `static_ipaddress in ${at(line)}` }] : []
    })
}
