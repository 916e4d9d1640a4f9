const prefixLength = 24

/** What `ip -j addr` prints on a node of this pair: the kernel of the host itself never has the VIP. */
export function addressListOf(vips: readonly string[]): string {
  const addresses = vips.map((local) => ({ family: 'inet', local, prefixlen: prefixLength }))
  return `${JSON.stringify([{ ifname: 'lo', addr_info: addresses }])}\n`
}
