/**
 * A control group for each host's systemd, which takes the group in which it is started for the root of the whole
 * machine. The kernel does not remove empty groups, so they are removed here when the host ends, or by a later run.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = '/sys/fs/cgroup'
const namePrefix = 'keepalived-witness-hosts-'

/**
 * The trees in which systemd keeps its services: one with version 2; with version 1 the one named systemd, perhaps with
 * one of version 2 beside it.
 */
function trees(): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [root]
  return ['systemd', 'unified'].map((name) => join(root, name)).filter((path) => existsSync(path))
}

export function controlGroupName(hostName: string): string {
  return `${namePrefix}${process.pid}-${hostName}`
}

/** Shell commands that move the shell, and the program that it becomes, into the group. */
export function enterControlGroup(name: string): string {
  return trees()
    .map((tree) => `mkdir -p ${tree}/${name} && echo 0 > ${tree}/${name}/cgroup.procs`)
    .join('\n')
}

/** Waits a moment for processes that were just killed, because this is also called when there is no later chance. */
export function removeControlGroup(name: string): void {
  const deadlineMs = Date.now() + 2000
  for (const tree of trees())
    while (!removeTree(join(tree, name)) && Date.now() < deadlineMs)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
}

/** Removes the groups of runners that are gone. */
export function sweepControlGroups(): void {
  for (const tree of trees())
    for (const name of readdirSync(tree)) {
      const owner = new RegExp(`^${namePrefix}(\\d+)-`).exec(name)?.[1]
      if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeTree(join(tree, name))
    }
}

/** Every control group of hosts labs on this machine. */
export function controlGroups(): string[] {
  return trees().flatMap((tree) =>
    readdirSync(tree)
      .filter((name) => name.startsWith(namePrefix))
      .map((name) => join(tree, name)),
  )
}

/** False if a process is still in it. */
function removeTree(path: string): boolean {
  if (!existsSync(path)) return true
  try {
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(path, entry.name))
    rmdirSync(path)
    return true
  } catch {
    return false
  }
}

/** The services whose speed counts. */
const timely = ['keepalived.service', 'witness-agent.service', 'witnessd.service'] as const

/**
 * As if the host had processors of its own: where the kernel shares the processors between sessions (autogroup), its
 * services would wait behind every other session of a machine that runs other tests at the same time. The product
 * assumes that a check asks the witness within 100 ms (docs/safety.md, E5).
 */
export function favourServices(name: string): void {
  for (const tree of trees())
    for (const service of timely) {
      const path = join(tree, name, 'system.slice', service, 'cgroup.procs')
      for (const pid of readLines(path))
        try {
          writeFileSync(`/proc/${pid}/autogroup`, '-15')
        } catch {
          // It has ended, or this kernel has no such thing.
        }
    }
}

/** None if there is no such file. */
function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}
