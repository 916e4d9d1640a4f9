import assert from 'node:assert/strict'
import { IssueError, readIssued } from '../../../../agent/voters/issued-certificate.ts'
import {
  authority,
  credentialsOf,
  foreignAuthority,
  lb01Credentials,
  lb02Credentials,
  nodeIdentity,
  witnessCredentials,
} from '../../../identities.ts'

const expected = {
  cluster: 'web',
  node: 'lb01',
  key: lb01Credentials.key,
  authority: authority.certificatePem,
}

function answer(certificate: string, status = 201): { status: number; text: string } {
  return { status, text: JSON.stringify({ certificate, generation: 1 }) }
}

function refused(from: { status: number; text: string }, says: RegExp, by = expected): void {
  assert.throws(
    () => readIssued(from, by),
    (error) => error instanceof IssueError && says.test(error.message),
  )
}

describe('issued-certificate', () => {
  it('is taken when it is for this node and this key, and of this authority', () =>
    assert.deepEqual(readIssued(answer(lb01Credentials.certificate), expected), {
      certificate: lb01Credentials.certificate,
      generation: 1,
      peerConnected: true,
    }))

  it('is refused when it is for somebody else, for another key, or of another authority', async () => {
    refused(answer(lb02Credentials.certificate), /not for web\/lb01/)
    refused(answer(witnessCredentials.certificate), /not for web\/lb01/)
    refused(answer(lb01Credentials.certificate), /for another key/, { ...expected, key: lb02Credentials.key })
    const foreign = await credentialsOf(nodeIdentity('lb01'), foreignAuthority)
    refused(answer(foreign.certificate), /signed by another authority/, { ...expected, key: foreign.key })
    refused(answer('hello'), /cannot be used/)
  })

  it('hands on the reason of a refusal, and finds words where there is none', () => {
    refused({ status: 403, text: '{"detail":"this invite was used"}' }, /^this invite was used$/)
    refused({ status: 502, text: '<html>' }, /the witness answered HTTP 502/)
    refused({ status: 201, text: '<html>' }, /not understood/)
  })
})
