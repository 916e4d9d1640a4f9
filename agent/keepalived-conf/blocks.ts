/**
 * Which keywords open a block for keepalived's VRRP process, in 2.2.7 and in the versions since. A "{" anywhere else is
 * ignored, and then the next "}" ends the block around it (process_stream() of keepalived's lib/parser.c).
 */

/**
 * `keywords`: a block of statements. `values`: a block of plain lines, which ends at the first "}". `skipped`: a block
 * of another process, passed over with everything inside.
 */
export type BlockKind =
  | { readonly kind: 'keywords'; readonly blocks: BlockTable }
  | { readonly kind: 'values' }
  | { readonly kind: 'skipped' }

export type BlockTable = ReadonlyMap<string, BlockKind>

const values: BlockKind = { kind: 'values' }
const skipped: BlockKind = { kind: 'skipped' }

function table(of: Readonly<Record<string, BlockKind>>): BlockTable {
  return new Map(Object.entries(of))
}

function keywords(of: Readonly<Record<string, BlockKind>> = {}): BlockKind {
  return { kind: 'keywords', blocks: table(of) }
}

const trackers = {
  track_interface: values,
  track_script: values,
  track_file: values,
  track_process: values,
  track_bfd: values,
}

/** The blocks that stand outside of every other block. */
export const rootBlocks = table({
  global_defs: keywords({ notification_email: values }),
  track_group: keywords({ group: values }),
  static_ipaddress: values,
  static_routes: values,
  static_rules: values,
  vrrp_sync_group: keywords({ group: values, ...trackers }),
  garp_group: keywords({ interfaces: values }),
  linkbeat_interfaces: values,
  interface_up_down_delays: values,
  vrrp_instance: keywords({
    unicast_peer: values,
    ...trackers,
    virtual_ipaddress: values,
    virtual_ipaddress_excluded: values,
    virtual_routes: values,
    virtual_rules: values,
    authentication: keywords(),
    auth_hmac: keywords(),
  }),
  vrrp_script: keywords(),
  vrrp_track_process: keywords(),
  track_file: keywords(),
  vrrp_track_file: keywords(),
  bfd_instance: skipped,
  virtual_server: skipped,
  virtual_server_group: skipped,
  SSL: skipped,
})
