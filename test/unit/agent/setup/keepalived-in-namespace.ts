/**
 * The real keepalived for `-t`, on a host of its own: with the interfaces that the fixtures name, and the check where
 * the package puts it. Only its configuration is this machine's.
 */
import { existsSync, writeFileSync } from 'node:fs'

const program = '/usr/sbin/keepalived'

const script = `#!/bin/sh
exec unshare --net --mount --propagation private sh -c '
ip link add eth0 type veth peer name eth1 && ip link add eth2 type veth peer name eth3 || exit 99
mount -t tmpfs -o mode=755 tmpfs /usr/libexec && mkdir -p /usr/libexec/keepalived &&
printf "#!/bin/sh\\n" > /usr/libexec/keepalived/witness-check && chmod 755 /usr/libexec/keepalived/witness-check || exit 98
exec ${program} "$@"' sh "$@"
`

export const canRunKeepalived = process.getuid?.() === 0 && existsSync(program)

/** @returns the program to name in agent.yaml */
export function keepalivedInNamespace(path: string): string {
  writeFileSync(path, script, { mode: 0o755 })
  return path
}
