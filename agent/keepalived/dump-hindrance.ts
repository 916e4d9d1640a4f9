/** Why a dump of keepalived may not arrive: what is at its path, and whether keepalived has that path at all. */
import { lstatSync, readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * @param pid of keepalived; null: only the path is looked at
 * @returns in words, with what to do; null: nothing is seen that keeps it away
 */
export function dumpHindrance(file: string, pid: number | null, proc = '/proc'): string | null {
  return atPath(file) ?? (pid === null ? null : inAnotherFolder(file, { pid, proc }))
}

/** In a folder such as /tmp not even root may write into what another user has put there (fs.protected_regular). */
function atPath(file: string): string | null {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return null
  const isKeepalivedsOwn = stat.uid === 0 || stat.uid === process.getuid?.()
  if (stat.isFile() && isKeepalivedsOwn) return null
  const kind = stat.isDirectory() ? 'a folder' : stat.isSymbolicLink() ? 'a symbolic link' : 'no file of root'
  return `${file} is ${kind} (owner ${stat.uid}), so keepalived cannot write its dump there; remove it`
}

/** Mounts are what every user may read of every process, unlike its files (proc(5), mountinfo). */
function inAnotherFolder(
  file: string,
  { pid, proc }: { readonly pid: number; readonly proc: string },
): string | null {
  const folder = realpathOr(dirname(file))
  const own = mountAt(`${proc}/self/mountinfo`, folder)
  const keepaliveds = mountAt(`${proc}/${pid}/mountinfo`, folder)
  if (own === null || keepaliveds === null || own === keepaliveds) return null
  return `keepalived (process ${pid}) has another ${folder} than this program (PrivateTmp= of its unit, or a container), so its dump is not seen here; run "systemctl edit keepalived", write PrivateTmp=no under [Service], and restart keepalived, or set keepalived.dumpFile in agent.yaml to a path that both have`
}

/** Device, folder and place of the mount in which the folder lies; null: it cannot be read. */
function mountAt(mountinfo: string, folder: string): string | null {
  let text: string
  try {
    text = readFileSync(mountinfo, 'utf8')
  } catch {
    return null
  }
  const mounts = text.split('\n').flatMap((row) => {
    const [, , device, root, at] = row.split(' ')
    if (device === undefined || root === undefined || at === undefined) return []
    const isAbove = at === '/' || folder === at || folder.startsWith(`${at}/`)
    return isAbove ? [{ at, what: `${device} ${root}` }] : []
  })
  // Of two mounts on one folder the later one is seen.
  const [first, ...others] = mounts
  if (first === undefined) return null
  const { at, what } = others.reduce((best, each) => (each.at.length >= best.at.length ? each : best), first)
  return `${what} ${at}`
}

function realpathOr(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}
