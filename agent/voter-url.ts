/** Where a voter is dialled. */

/** Null: the address is none, and nothing can be dialled there. What another host says of itself may be anything. */
export function urlOfHost({
  address,
  port,
}: {
  readonly address: string
  readonly port: number
}): string | null {
  const url = `https://${address.includes(':') ? `[${address}]` : address}:${port}`
  // What a URL takes for something else than a host (a path, a user) would lead elsewhere.
  const isWhole = URL.canParse(url) && new URL(url).pathname === '/' && !/[/?#@\\]/.test(address)
  return isWhole ? url : null
}
