/** Configurations as admins write them; each is to be set up and taken back without a byte lost. */
export interface Fixture {
  readonly what: string
  /** By path in the folder of keepalived.conf; one character for each byte. */
  readonly files: Readonly<Record<string, string>>
  readonly configId?: string
}

export function instance(name: string, more = '', id = 51): string {
  return `vrrp_instance ${name} {
    state BACKUP
    interface eth0
    virtual_router_id ${id}
    priority 100
    virtual_ipaddress {
        10.0.0.${id}/24
    }
${more}}
`
}

const plain = `! Configuration File for keepalived

global_defs {
    router_id lb01   # ours
}

# the web service
${instance('VI_1')}`

export const fixtures: readonly Fixture[] = [
  { what: 'a plain configuration', files: { 'keepalived.conf': plain } },
  { what: 'no global_defs', files: { 'keepalived.conf': instance('VI_1') } },
  {
    what: 'a comment at its head that touches the instance',
    files: { 'keepalived.conf': `# head\n${instance('VI_1')}` },
  },
  {
    what: 'one-line blocks',
    files: {
      'keepalived.conf': `global_defs { router_id x }\n${instance('VI_1', '    track_interface { eth2 }\n')}`,
    },
  },
  { what: 'tabs', files: { 'keepalived.conf': plain.replaceAll('    ', '\t') } },
  { what: 'line ends of another system', files: { 'keepalived.conf': plain.replaceAll('\n', '\r\n') } },
  { what: 'no newline at its end', files: { 'keepalived.conf': plain.trimEnd() } },
  {
    what: 'bytes that are no UTF-8',
    files: { 'keepalived.conf': plain.replace('ours', 'b\u00fcro \u00ff') },
  },
  { what: 'a name in quotes', files: { 'keepalived.conf': instance('"VI_1"') } },
  { what: 'a brace on a row of its own', files: { 'keepalived.conf': plain.replace('VI_1 {', 'VI_1\n{') } },
  {
    what: 'comments behind braces',
    files: {
      'keepalived.conf': plain.replace('VI_1 {', 'VI_1 { # the {web} VIP').replace(/\}\n$/, '} # "end"\n'),
    },
  },
  {
    what: 'an included file for each instance',
    files: {
      'keepalived.conf': 'global_defs {\n    router_id x\n}\ninclude conf.d/*.conf\n',
      'conf.d/a.conf': instance('VI_1'),
      'conf.d/b.conf': instance('VI_2', '', 52),
    },
  },
  {
    what: 'an include of every file of a folder',
    files: { 'keepalived.conf': 'include conf.d/*\n', 'conf.d/web': instance('VI_1') },
  },
  {
    what: 'global_defs in an included file',
    files: {
      'keepalived.conf': `include global\n${instance('VI_1')}`,
      global: 'global_defs {\n  router_id x\n  vrrp_version 3\n}\n',
    },
  },
  {
    what: 'global_defs after the instance',
    files: { 'keepalived.conf': `${instance('VI_1')}global_defs {\n    router_id x\n}\n` },
  },
  {
    what: 'one file included twice, with a variable in the name',
    files: {
      'keepalived.conf': '$NUM=1\ninclude vi.inc\n$NUM=2\ninclude vi.inc\n',
      'vi.inc': instance('VI_$NUM', '', 51)
        .replace('virtual_router_id 51', 'virtual_router_id 5${NUM}')
        .replace('VI_$NUM {', 'VI_${NUM} {'),
    },
  },
  {
    what: 'a name that is a variable',
    files: {
      'keepalived.conf': `$NAME=VI_1\n$IF=eth0\n${instance('$NAME').replace('interface eth0', 'interface $IF')}`,
    },
  },
  {
    what: 'variables over several lines',
    files: {
      'keepalived.conf': `$VIPS= \\\n    virtual_ipaddress { \\\n        10.0.0.9/24 \\\n    }\n\n# web\n${instance('VI_1', '    $VIPS\n')}`,
    },
  },
  {
    what: 'conditional lines',
    configId: 'lb01',
    files: {
      'keepalived.conf': `@lb01 vrrp_instance VI_1 {
@lb01     state BACKUP
@lb01     interface eth0
@lb01     virtual_router_id 51
@lb01     priority 150
@lb01     virtual_ipaddress {
@lb01         10.0.0.51/24
@lb01     }
@lb01 }
@lb02 vrrp_instance VI_9 {
@lb02     interface eth9
@lb02 }
`,
    },
  },
  {
    what: 'a sync group with unicast members',
    files: {
      'keepalived.conf': `vrrp_sync_group G {
    group {
        VI_1
        VI_2
    }
}
${instance('VI_1', '    unicast_peer {\n        192.0.2.2\n    }\n')}${instance('VI_2', '', 52)}`,
    },
  },
  {
    what: 'a virtual MAC',
    files: { 'keepalived.conf': instance('VI_1', '    use_vmac vrrp.51\n    vmac_xmit_base\n') },
  },
  {
    what: 'IPv6, and addresses that are not advertised',
    files: {
      'keepalived.conf': instance(
        'VI_6',
        '    virtual_ipaddress_excluded {\n        10.0.0.200/24\n    }\n',
      ).replace('10.0.0.51/24', 'fe80::51/64\n        2001:db8::51/64'),
    },
  },
  {
    what: 'trackers and scripts of its own',
    files: {
      'keepalived.conf': `vrrp_script chk {
    script "/bin/true"
    interval 2
}
track_file other {
    file /run/other
}
${instance('VI_1', '    track_script {\n        chk weight 10\n    }\n    track_file {\n      other weight 10\n    }\n')}`,
    },
  },
  {
    what: 'trackers of its own in one-line blocks',
    files: {
      'keepalived.conf': `vrrp_script chk { script "/bin/true" }\n${instance('VI_1', '    track_script { chk }\n')}`,
    },
  },
  {
    what: 'scripts as another user, and their security',
    files: {
      'keepalived.conf': `global_defs {
    script_user nobody
    enable_script_security
}
vrrp_script chk {
    script "/bin/true"
}
${instance('VI_1', '    track_script {\n        chk\n    }\n')}`,
    },
  },
  {
    what: 'a bar that is defined but not used',
    files: {
      'keepalived.conf': `vrrp_track_file mine {
    file /run/keepalived-witness/VI_1.bar
    weight 0
}
${instance('VI_1')}`,
    },
  },
]
