/** Whether this host's credentials exist, fit together, and belong to the node that agent.yaml names. */
import { describeIdentity } from '../../../shared/identity/identity.ts'
import { type Credentials, CredentialsError, readCredentials } from '../../../shared/identity/credentials.ts'
import { fail, type Finding, ok } from './finding.ts'

const remedy = 'enrol this node: run "witnessctl invite" on the witness host, then "witness-agent join" here'

export function checkIdentity(of: {
  readonly stateDir: string
  readonly cluster: string
  readonly node: string
}): { readonly finding: Finding; readonly credentials: Credentials | null } {
  const { stateDir, cluster, node } = of
  try {
    const { identity, ...credentials } = readCredentials(stateDir, remedy)
    if (identity.kind === 'node' && identity.cluster === cluster && identity.node === node)
      return {
        finding: ok(
          'identity',
          `the certificate is for ${node} of ${cluster} (generation ${identity.generation})`,
        ),
        credentials,
      }
    return {
      finding: fail(
        'identity',
        `the certificate in ${stateDir} is that of ${describeIdentity(identity)}, but agent.yaml names node ${cluster}/${node}`,
        `correct cluster and node in agent.yaml, or ${remedy}`,
      ),
      credentials: null,
    }
  } catch (cause) {
    if (!(cause instanceof CredentialsError)) throw cause
    // The message already contains the remedy.
    const [text = '', ...rest] = cause.message.split(`: ${remedy}`)
    return { finding: fail('identity', text + rest.join(''), remedy), credentials: null }
  }
}
