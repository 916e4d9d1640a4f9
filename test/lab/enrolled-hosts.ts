/**
 * A witness's authority and registry, and what enrolment leaves on the nodes, written before any host boots: what `invite`
 * and `join` do one after the other (test/hosts plays these) is done at once here.
 */
import { join } from 'node:path'
import { Authority } from '../../server/registry/authority.ts'
import { Registry } from '../../server/registry/registry.ts'
import { bootClockMs, bootId } from '../../shared/host/boot-clock.ts'
import { writeCredentials } from '../../shared/identity/credentials.ts'
import { makeKeyRequest } from '../../shared/identity/key-request.ts'

export interface HostToEnrol {
  readonly cluster: string
  readonly node: string
  readonly address: string
  /** Where its agent listens; the usual port where none is given. */
  readonly port?: number
  /** The agent's, seen from outside. */
  readonly stateDir: string
}

/** @param dataDir the witness's, seen from outside */
export async function enrolHosts(dataDir: string, hosts: readonly HostToEnrol[]): Promise<void> {
  const folder = join(dataDir, 'authority')
  const authority = await Authority.open(folder)
  const registry = await Registry.open({
    folder,
    authorityWasThere: authority.wasThere,
    bootId: bootId(),
    nowMs: bootClockMs,
    now: () => new Date(),
    onError: (error) => {
      throw error
    },
  })
  for (const { cluster, node, address, port = 7401, stateDir } of hosts) {
    const invited = await registry.invite({ cluster, node })
    if (invited.kind === 'refused') throw new Error(invited.text)
    const { secret } = invited
    const enrolled = await registry.redeem({ cluster, node, secret, address, port })
    if (enrolled.kind === 'refused') throw new Error(enrolled.text)
    const { generation } = enrolled
    const { key, request } = await makeKeyRequest()
    const certificate = await authority.signNode({ cluster, node, generation, request })
    writeCredentials(stateDir, { key, certificate, authority: authority.certificatePem })
  }
}
