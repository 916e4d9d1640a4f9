/**
 * The real keepalived for `-t`, on a host of its own: with the interfaces that the fixtures name, and the check where
 * the package puts it. Only its configuration is this machine's.
 */
import { writeFileSync } from 'node:fs'
import { programOrSkip, skipAloud } from '../../../../skip-aloud.ts'

const scriptFor = (program: string): string => `#!/bin/sh
exec unshare --net --mount --propagation private sh -c '
ip link add eth0 type veth peer name eth1 && ip link add eth2 type veth peer name eth3 || exit 99
mount -t tmpfs -o mode=755 tmpfs /usr/libexec && mkdir -p /usr/libexec/keepalived &&
printf "#!/bin/sh\\n" > /usr/libexec/keepalived/witness-check && chmod 755 /usr/libexec/keepalived/witness-check || exit 98
exec ${program} "$@"' sh "$@"
`

/** For `before`: the tests of a suite are skipped where keepalived cannot be run. */
export function keepalivedOrSkip(context: Mocha.Context): string {
  if (process.getuid?.() !== 0) skipAloud(context, 'only root can give keepalived a network of its own')
  return programOrSkip(context, 'keepalived')
}

/** @returns the program to name in agent.yaml */
export function keepalivedInNamespace(path: string, program: string): string {
  writeFileSync(path, scriptFor(program), { mode: 0o755 })
  return path
}
