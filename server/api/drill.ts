/**
 * `POST /api/v1/clusters/:cluster/nodes/:node/drill`: the one request that makes a node do something. It has no body;
 * `?including-holder=true` allows the VIP to move. It answers at once; how the drill ends is in the events.
 */
import { Router, type Request } from 'express'
import { z } from 'zod'
import { describeIdentity, type Identity } from '../../shared/identity/identity.ts'
import type { ClusterRuntime } from '../clusters/runtime.ts'
import { sendProblem } from './problem.ts'
import { readQuery } from './query.ts'

export interface DrillApiOptions {
  readonly clusters: { get(name: string): Pick<ClusterRuntime, 'drill'> | null }
  /** Who asks, according to the connection's certificate; null: nobody that is known. */
  readonly identityOf: (request: Request) => Identity | null
}

const drillQuery = z.strictObject({
  'including-holder': z.enum(['true', 'false'], '"true" or "false" is expected').default('false'),
})

export function drillApi({ clusters, identityOf }: DrillApiOptions): Router {
  const router = Router({ caseSensitive: true, strict: true })
  router.post('/api/v1/clusters/:cluster/nodes/:node/drill', (request, response) => {
    const identity = identityOf(request)
    if (identity?.kind !== 'admin') {
      sendProblem(response, {
        status: 403,
        title: 'Forbidden',
        detail: `Only an admin may order a drill, and this request comes from ${identity === null ? 'somebody unknown' : describeIdentity(identity)}. Use witnessctl on the witness host, or with --identity.`,
      })
      return
    }
    const { cluster: name, node } = request.params
    const cluster = clusters.get(name)
    if (cluster === null) {
      sendProblem(response, {
        status: 404,
        title: 'Unknown cluster',
        detail: `This witness does not know cluster "${name.slice(0, 63)}". /api/v1/clusters lists the clusters that it knows.`,
      })
      return
    }
    const query = readQuery(drillQuery, request.query)
    if (query.kind === 'wrong') {
      sendProblem(response, { status: 400, title: 'Bad query', detail: query.detail })
      return
    }
    const answer = cluster.drill({
      node,
      includingHolder: query.parameters['including-holder'] === 'true',
    })
    if (answer.kind === 'refused') {
      sendProblem(response, { status: 409, title: 'No drill now', detail: answer.text })
      return
    }
    response.status(202).json({ node, steps: answer.steps, afterEvent: answer.afterEvent })
  })
  return router
}
