/**
 * The HTTP API of enrolment. Who may do what: an admin invites, lists, removes and rotates; a node renews its own
 * certificate; whoever has an invite's secret joins as the node that the invite names.
 */
import express from 'express'
import type { NextFunction, Request, RequestHandler, Response, Router } from 'express'
import { type EnrolmentApiOptions, longestBody, refuseWithoutReading } from './enrolment-request.ts'
import { QuietRefusals, join, nodeThatMayRenew, passThrough, renew } from './join.ts'
import { changeNode, listNodes, makeInvite } from './nodes.ts'
import { describeIdentity } from '../../shared/identity/identity.ts'
import { KeyRequestError } from '../registry/authority.ts'
import { sendProblem } from './problem.ts'
import { DurableFileError } from '../../shared/disk/durable-file.ts'

/** Must be mounted before anything that refuses methods other than GET, or bodies. */
export function createEnrolmentRouter(options: EnrolmentApiOptions): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  const json = express.json({ limit: longestBody, type: 'application/json' })
  const admin = requireAdmin(options)
  const refusals = new QuietRefusals(options)

  router.post('/api/v1/invites', admin, json, (request, response) => makeInvite(options, request, response))
  router.get('/api/v1/nodes', admin, (request, response) => listNodes(options, request, response))
  router.post('/api/v1/clusters/:cluster/nodes/:node/remove', admin, json, (request, response) =>
    changeNode(options, { request, response, change: 'remove' }),
  )
  router.post('/api/v1/clusters/:cluster/nodes/:node/rotate', admin, json, (request, response) =>
    changeNode(options, { request, response, change: 'rotate' }),
  )
  router.post('/api/v1/join', json, (request, response) => join(options, { request, response, refusals }))
  router.post('/api/v1/renew', async (request, response) => {
    const identity = nodeThatMayRenew(options, request, response)
    if (identity === null) return
    await passThrough(json, request, response)
    await renew(options, { request, response, identity })
  })
  router.use(sendKnownFailure)
  return router
}

function requireAdmin({ identityOf }: EnrolmentApiOptions): RequestHandler {
  return (request, response, next) => {
    const identity = identityOf(request)
    if (identity?.kind === 'admin') {
      next()
      return
    }
    refuseWithoutReading(response, {
      status: identity === null ? 401 : 403,
      title: identity === null ? 'Unauthorized' : 'Forbidden',
      detail:
        identity === null
          ? 'The request has no certificate of this witness. Use witnessctl with the identity of an admin.'
          : `Only an admin may do this, and ${describeIdentity(identity)} is not an admin. Use witnessctl with the identity of an admin.`,
    })
  }
}

function sendKnownFailure(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (error instanceof KeyRequestError)
    return sendProblem(response, {
      status: 400,
      title: 'Bad certificate request',
      detail: `${error.message}.`,
    })
  if (error instanceof DurableFileError)
    return sendProblem(response, {
      status: 503,
      title: 'Cannot be saved',
      detail: `The witness cannot write to its disk (${error.errno}), so it has changed nothing. Make the disk writable again, then retry.`,
    })
  next(error)
}
