/**
 * The root file system with which every host of the lab begins: Debian with systemd, keepalived and what an admin has
 * on such a host, but no Node.js. It is made once by debootstrap and kept; a host writes to a layer above it.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../lab/command.ts'
import { PrerequisiteError } from '../lab/prerequisites.ts'
import { pagePort } from '../lab/address-plan.ts'
import { aptSource, type AptSource } from './apt-source.ts'

/** Where images are kept; KEEPALIVED_WITNESS_HOSTS_CACHE puts them elsewhere. */
export const cacheFolder = process.env.KEEPALIVED_WITNESS_HOSTS_CACHE ?? '/var/cache/keepalived-witness-hosts'

/** The admin's own packages, and those that the .deb depends on, because the hosts cannot reach an archive. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'sudo'],
  ...['keepalived', 'nftables', 'iproute2', 'iputils-ping', 'iputils-arping', 'curl', 'ca-certificates'],
  ...['adduser', 'procps', 'nginx-light', 'libfaketime', 'faketime', 'diffutils'],
]

/** The user who types the README's commands. */
export const adminUser = 'admin'

/** Runs in the new root. An empty machine-id is filled by the first boot. */
const finishScript = `
set -e
useradd --create-home --shell /bin/bash ${adminUser}
echo '${adminUser} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/${adminUser}
chmod 440 /etc/sudoers.d/${adminUser}
cat > /etc/nginx/sites-enabled/default <<'END'
server {
    listen ${pagePort} default_server;
    access_log off;
    location / {
        default_type text/plain;
        return 200 "$hostname";
    }
}
END
mkdir -p /etc/systemd/journald.conf.d /var/log/journal
printf '[Journal]\\nStorage=persistent\\nRateLimitIntervalSec=0\\n' > /etc/systemd/journald.conf.d/lab.conf
systemctl mask --quiet console-getty.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id /etc/hostname
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc/* /usr/share/locale/*
`

/** @returns the folder of the image, which is made if it does not exist yet. */
export async function baseImage(tell: (text: string) => void): Promise<string> {
  if (/^\/(tmp|run)(\/|$)/.test(cacheFolder))
    throw new PrerequisiteError(
      `KEEPALIVED_WITNESS_HOSTS_CACHE=${cacheFolder}: the hosts have their own /tmp and /run, so choose another folder`,
    )
  const source = await aptSource()
  const recipe = createHash('sha256').update(
    [source.codename, source.architecture, ...packages, finishScript].join('\n'),
  )
  const path = join(cacheFolder, recipe.digest('hex').slice(0, 16))
  mkdirSync(cacheFolder, { recursive: true, mode: 0o755 })
  if (!existsSync(path)) await make(path, source, tell)
  const now = new Date()
  utimesSync(path, now, now)
  removeOldImages()
  return path
}

async function make(path: string, source: AptSource, tell: (text: string) => void): Promise<void> {
  tell(`making the hosts' image from Debian packages in ${path} (about a minute, once)`)
  const unfinished = `${path}.unfinished-${process.pid}`
  const clear = (): void => rmSync(unfinished, { recursive: true, force: true })
  process.once('exit', clear)
  try {
    await bootstrap(unfinished, source)
    await command('chroot', [unfinished, '/bin/sh'], { input: finishScript, timeoutMs: 60_000 })
    // Another run may have been faster.
    if (!existsSync(path)) renameSync(unfinished, path)
  } finally {
    clear()
    process.removeListener('exit', clear)
  }
}

/** Runs in namespaces of its own, so that what debootstrap mounts and starts ends with it, however it ends. */
async function bootstrap(path: string, { url, codename, architecture, proxy }: AptSource): Promise<void> {
  const args = [
    ...['--variant=minbase', `--arch=${architecture}`, `--include=${packages.join(',')}`],
    ...[codename, path, url],
  ]
  const environment = proxy === null ? [] : [`http_proxy=${proxy}`, `https_proxy=${proxy}`]
  try {
    await command(
      'unshare',
      [
        ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
        ...['env', ...environment, 'debootstrap', ...args],
      ],
      { timeoutMs: 10 * 60_000 },
    )
  } catch (error) {
    throw new PrerequisiteError(`debootstrap could not make ${path}: ${String(error)}`, { cause: error })
  }
}

const keptUnusedMs = 14 * 24 * 3_600_000

/** Removes images that nobody has used for two weeks, and what a killed debootstrap has left. */
function removeOldImages(): void {
  for (const name of readdirSync(cacheFolder)) {
    const path = join(cacheFolder, name)
    const maker = /\.unfinished-(\d+)$/.exec(name)?.[1]
    const isAbandoned =
      maker === undefined ? Date.now() - statSync(path).mtimeMs > keptUnusedMs : !existsSync(`/proc/${maker}`)
    if (isAbandoned) rmSync(path, { recursive: true, force: true })
  }
}
