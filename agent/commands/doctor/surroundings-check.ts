/** What else on this host can keep the check from working: SELinux and curl. */
import { runCommand } from '../../../shared/host/command.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const commandMs = 3000

/** @param script where keepalived.conf has the check; @param run for tests */
export async function checkSelinux(script: string, run = runCommand): Promise<Finding> {
  const { error, stdout } = await run(['getenforce'], { timeoutMs: commandMs })
  const mode = stdout.trim()
  if (error !== null || mode === 'Disabled') return ok('selinux', 'SELinux is not in use')
  if (script.startsWith('/usr/libexec/keepalived/'))
    return ok('selinux', `SELinux is ${mode}; the check is where its policy expects it`)
  const text = `SELinux is ${mode}, and keepalived runs the check from ${script}, but the policy allows only scripts under /usr/libexec/keepalived`
  const remedy =
    'use /usr/libexec/keepalived/witness-check in keepalived.conf, then run "restorecon -v" on it'
  return mode === 'Enforcing' ? fail('selinux', text, remedy) : warn('selinux', text, remedy)
}

/** The check uses curl to ask the witness while the agent is dead. @param run for tests */
export async function checkCurl(run = runCommand): Promise<Finding> {
  const options = ['--connect-to', 'a:1:b:2', '--tlsv1.3', '--version']
  const { error, stdout } = await run(['curl', '-q', ...options], { timeoutMs: commandMs })
  const version = /^curl (\S+)/.exec(stdout)?.[1] ?? ''
  if (error === null && /\bhttps\b/.test(stdout)) return ok('curl', `curl ${version} can ask the witness`)
  return fail(
    'curl',
    error === null ? `curl ${version} has no HTTPS` : `curl cannot ask the witness (${error})`,
    'install curl 7.52 or newer, with TLS 1.3; without it the check gets no vote from the witness while the agent is dead',
  )
}
