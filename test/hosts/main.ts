/** `npm run hosts`: booted hosts to play with. Results on stdout, messages on stderr. */
import { Command } from 'commander'
import { setTimeout as wait } from 'node:timers/promises'
import { PrerequisiteError } from '../lab/prerequisites.ts'
import { runStory } from '../lab/run-story.ts'
import { vip } from '../lab/address-plan.ts'
import { hostNames, type HostsLab } from './hosts-lab.ts'
import { prepareHosts, type PreparedHosts } from './prepared-hosts.ts'
import { playScenario } from './scenario-run.ts'
import { scenarios } from './scenarios.ts'
import { type Typed } from './walk-through.ts'

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

function tellTyped({ host, line, output, tookMs }: Typed): void {
  tell(`\n${host}$ ${line}   (${(tookMs / 1000).toFixed(1)} s)\n${output.trim()}`)
}

async function withHosts(use: (hosts: PreparedHosts) => Promise<void>): Promise<void> {
  const hosts = await prepareHosts({ tell })
  try {
    await use(hosts)
  } finally {
    await hosts.lab.remove()
  }
}

async function up({ bare }: { bare: boolean }): Promise<void> {
  await withHosts(async (hosts) => {
    if (!bare) await hosts.protect(tellTyped)
    else await hosts.handOut()
    tellDoors(hosts.lab)
    for (;;) await wait(3_600_000)
  })
}

function tellDoors(lab: HostsLab): void {
  tell(`\nThe VIP is ${vip}. In another terminal, as root:`)
  for (const name of hostNames) tell(`  ${name.padEnd(7)}  ${lab.host(name).door}`)
  tell('Ctrl-C shuts all hosts down.')
}

async function run(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !scenarios.some((each) => each.name === name))
  if (unknown.length > 0) {
    tell(`there is no scenario ${unknown.join(', ')}; "npm run hosts -- list" shows the names`)
    process.exitCode = 2
    return
  }
  await withHosts(async (hosts) => {
    await hosts.protect(tellTyped)
    for (const scenario of scenarios) {
      if (names.length > 0 && !names.includes(scenario.name)) continue
      const { run, broken } = await playScenario(hosts.lab, scenario)
      process.stdout.write(`\n${scenario.name}: ${scenario.fault}\n${runStory(run)}\n`)
      for (const complaint of broken) process.stdout.write(`BROKEN ${complaint}\n`)
      if (broken.length > 0) process.exitCode = 1
    }
  })
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => process.exit(code))

const program = new Command('hosts').description(
  'Three Debian hosts with systemd in containers: a keepalived pair and a witness, from the package.',
)
program
  .command('up')
  .description('boots them, types the README’s commands, and leaves them up until Ctrl-C')
  .option('--bare', 'do not type the README’s commands, which are left to you', false)
  .action(up)
program
  .command('run')
  .description('boots them, types the README’s commands, and runs scenarios')
  .argument('[names...]', 'default: all of them, in order')
  .action(run)
program
  .command('list')
  .description('the scenarios')
  .action(() => {
    const width = Math.max(...scenarios.map(({ name }) => name.length))
    for (const { name, fault } of scenarios) process.stdout.write(`${name.padEnd(width)}  ${fault}\n`)
  })
try {
  await program.parseAsync()
} catch (error) {
  tell(
    error instanceof PrerequisiteError ? error.message : String(error instanceof Error ? error.stack : error),
  )
  process.exitCode = 1
}
