/**
 * The admin of the README: types its commands on the hosts in the order of the README, and carries the invite from the
 * witness to the node.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { adminUser } from './base-image.ts'
import { type DebPackage } from './deb-packages.ts'
import { hostNames, type HostName, type HostsLab } from './hosts-lab.ts'
import { readmeSteps, type ReadmeStep } from './readme-commands.ts'

export const sections = {
  protect: 'Protect a pair in ten minutes',
  upgrade: 'Upgrade',
  takeAway: 'Taking it away',
} as const

export interface Typed {
  readonly host: HostName
  readonly line: string
  readonly output: string
  readonly tookMs: number
}

export class WalkThroughError extends Error {
  readonly code = 'walk-through'
}

/** The file that the README says to copy to each host, in the admin's home and without another version beside it. */
export async function handOutPackage(lab: HostsLab, { path }: DebPackage): Promise<void> {
  const home = `/home/${adminUser}`
  for (const name of hostNames) {
    await lab.host(name).shell(`rm -f ${home}/*.deb`)
    await lab.host(name).copyIn(path, `${home}/${basename(path)}`)
  }
}

/**
 * Types every command of a section of README.md.
 * @throws WalkThroughError at the first that fails
 */
export async function walkThrough(
  lab: HostsLab,
  heading: string,
  told: (typed: Typed) => void,
): Promise<readonly Typed[]> {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const done: Typed[] = []
  for (const step of readmeSteps(readme, heading)) {
    const typed = await type(lab, step, inputOf(step, done))
    told(typed)
    done.push(typed)
  }
  return done
}

/** What a person types while the command runs: the invite line, and yes for apt. */
function inputOf({ host, line }: ReadmeStep, done: readonly Typed[]): string {
  if (!line.includes('witness-agent join')) return 'y\n'
  const invite = done.findLast(
    (typed) => typed.line.includes(`witnessctl invite`) && typed.line.includes(host),
  )
  const words = /^kw1\.\S+$/m.exec(invite?.output ?? '')?.[0]
  if (words === undefined) throw new WalkThroughError(`${host} joins, but no invite was printed for it`)
  return `${words}\n`
}

async function type(lab: HostsLab, { host, line, lineNumber }: ReadmeStep, input: string): Promise<Typed> {
  const beganAtMs = Date.now()
  const { code, stdout, stderr } = await lab.host(host).type(line, input)
  const isFine = expectedCodes(line).includes(code) || (code === 1 && tellsOfBusyDisk(line, stdout))
  if (!isFine)
    throw new WalkThroughError(
      `README.md:${lineNumber}: on ${host}: ${line}: exit ${code}\n${stdout}${stderr}`.trim(),
    )
  return { host, line, output: `${stdout}${stderr}`, tookMs: Date.now() - beganAtMs }
}

/** The machine of the tests may be busy with other tests, and then `status` rightly warns of its disk. */
function tellsOfBusyDisk(line: string, stdout: string): boolean {
  return (
    line.includes('witnessctl status') && /^WARNING .*: a vote took \d+ ms to reach the disk/.test(stdout)
  )
}

/** Exit code 1: `setup` without --apply found lines to add, `doctor` found warnings (2: failures). */
function expectedCodes(line: string): readonly number[] {
  if (/witness-agent setup\s*$/.test(line)) return [1]
  return line.includes('witness-agent doctor') ? [0, 1] : [0]
}
