/** What an admin does with nodes: invite, list, remove and rotate. */
import { z } from 'zod'
import type { Request, Response } from 'express'
import { clusterName, nodeName } from '../../shared/protocol/names.ts'
import { inviteAddress, writeInviteLine } from '../../shared/identity/invite-line.ts'
import { type EnrolmentApiOptions, event, nameOf, readBody } from './enrolment-request.ts'
import { sendProblem } from './problem.ts'
import { readQuery } from './query.ts'
import type { ChangeResult, Registry } from '../registry/registry.ts'
import { DurableFileError } from '../../shared/disk/durable-file.ts'
import type { NodeKey } from '../core/enrolment/record.ts'

export const nodeKey = z.strictObject({ cluster: clusterName, node: nodeName })

/** More than a cluster can have had at one time. */
const maxNodesNamed = 16

const inviteBody = z.strictObject({ ...nodeKey.shape, address: inviteAddress.nullable().default(null) })

const nodesQuery = z.strictObject({ cluster: clusterName.optional() })

const removeBody = z.strictObject({
  evenHolder: z.boolean().default(false),
  /** Hosts that are off, by the operator's word. */
  isOff: z.array(nodeName).max(maxNodesNamed).default([]),
})

const rotateBody = z.strictObject({})

export async function makeInvite(
  options: EnrolmentApiOptions,
  request: Request,
  response: Response,
): Promise<void> {
  const { authority, registry, ownAddress, tell } = options
  const body = readBody(inviteBody, request, response)
  if (body === null) return
  const { cluster, node } = body
  const address = body.address ?? ownAddress()
  if (address === null) {
    sendProblem(response, {
      status: 400,
      title: 'Address unknown',
      detail:
        'This witness cannot tell at which address the node reaches it. Give the address with --address HOST:PORT.',
    })
    return
  }
  const outcome = await registry.invite({ cluster, node })
  if (outcome.kind === 'refused') {
    sendProblem(response, { status: 409, title: 'Not invited', detail: outcome.text })
    return
  }
  const { secret, goodForMs } = outcome
  const minutes = goodForMs / 60_000
  tell(
    cluster,
    event({
      event: 'invite-made',
      node,
      text: `An invite for ${node} was created; it is valid for ${minutes} min and for one join.`,
      evidence: { address, by: nameOf(options, request) },
    }),
  )
  const line = writeInviteLine({ address, fingerprint: authority.fingerprint, secret, cluster, node })
  response.status(201).json({ line, cluster, node, address, goodForMs })
}

export function listNodes(options: EnrolmentApiOptions, request: Request, response: Response): void {
  const { registry, isConnected } = options
  const query = readQuery(nodesQuery, request.query)
  if (query.kind === 'wrong') {
    sendProblem(response, { status: 400, title: 'Bad query', detail: query.detail })
    return
  }
  const wanted = query.parameters.cluster
  const isWanted = ({ cluster }: { cluster: string }): boolean => wanted === undefined || cluster === wanted
  response.json({
    nodes: registry.entries.filter(isWanted).map((entry) => ({
      ...entry,
      connected: !entry.removed && isConnected(entry),
      mayServeWith: registry.mayServeWith(entry),
    })),
    invites: registry.openInvites.filter(isWanted),
    lostAt: registry.lostAt,
  })
}

export async function changeNode(
  options: EnrolmentApiOptions,
  { request, response, change }: { request: Request; response: Response; change: 'remove' | 'rotate' },
): Promise<void> {
  const { registry, tell } = options
  const key = nodeKey.safeParse(request.params)
  if (!key.success) {
    sendProblem(response, {
      status: 404,
      title: 'Unknown node',
      detail: 'This path does not name a node. /api/v1/nodes lists the nodes that are enrolled.',
    })
    return
  }
  const body =
    change === 'remove' ? readBody(removeBody, request, response) : readBody(rotateBody, request, response)
  if (body === null) return
  const { cluster, node } = key.data
  if ('evenHolder' in body && !body.evenHolder && options.holdsLease(key.data)) {
    sendProblem(response, {
      status: 409,
      title: 'Has the VIP',
      detail: `${node} has the VIP now and would lose it. First move the VIP away ("witnessctl drill --cluster ${cluster} --node ${node} --including-holder") or take the agent on ${node} out of service. To remove the node all the same, add --even-holder.`,
    })
    return
  }
  const { outcome, notKept }: Change =
    change === 'remove'
      ? await removeNode(registry, key.data, 'isOff' in body ? body.isOff : [])
      : { outcome: await registry.rotate(key.data), notKept: null }
  if (outcome.kind === 'refused') {
    sendProblem(response, {
      status: outcome.reason === 'unknown' ? 404 : 409,
      title: outcome.reason === 'unknown' ? 'Unknown node' : 'Removed',
      detail: `${outcome.text}.`,
    })
    return
  }
  const by = nameOf(options, request)
  tell(
    cluster,
    change === 'remove'
      ? event({
          event: 'node-removed',
          level: 'warning',
          node,
          text: `${node} was removed by ${by}; its certificate is refused from now on.`,
          evidence: { by },
        })
      : event({
          event: 'rotation-asked',
          node,
          text: `${by} asked for a new key for ${node}; the node creates one when it is connected.`,
          evidence: { by },
        }),
  )
  if (notKept === null) response.json({ cluster, node, mayServeWith: registry.mayServeWith(key.data) })
  else
    sendProblem(response, {
      status: 503,
      title: 'Removed but not saved',
      detail: `${node} is shut out from now on, but the removal could not be written to disk, so a restart of the witness would undo it. Make the disk writable again, then remove the node once more. ${notKept.message}.`,
    })
}

interface Change {
  readonly outcome: ChangeResult
  /** The change counts all the same, until the next restart. */
  readonly notKept: DurableFileError | null
}

async function removeNode(registry: Registry, key: NodeKey, isOff: readonly string[]): Promise<Change> {
  try {
    return { outcome: await registry.remove(key, isOff), notKept: null }
  } catch (error) {
    if (!(error instanceof DurableFileError)) throw error
    return { outcome: { kind: 'done' }, notKept: error }
  }
}
