/**
 * Reads this node's credentials from the state folder, where `join` put them, and checks that they belong to the node
 * that agent.yaml names.
 */
import {
  CredentialsError,
  identityFileIn,
  readCredentials,
  type Credentials,
} from '../../shared/identity/credentials.ts'
import { describeIdentity } from '../../shared/identity/identity.ts'

/** @throws CredentialsError */
export function readNodeCredentials({
  stateDir,
  cluster,
  node,
}: {
  readonly stateDir: string
  readonly cluster: string
  readonly node: string
}): Credentials {
  const enrol = `enrol this node: run "witnessctl invite --cluster ${cluster} --node ${node}" on the witness host and "witness-agent join" here`
  const { identity, ...credentials } = readCredentials(stateDir, enrol)
  if (identity.kind === 'node' && identity.cluster === cluster && identity.node === node) return credentials
  throw new CredentialsError(
    'unusable',
    `${identityFileIn(stateDir)} is the certificate of ${describeIdentity(identity)}, but agent.yaml names node ${cluster}/${node}; correct cluster and node in agent.yaml, or ${enrol}`,
  )
}
