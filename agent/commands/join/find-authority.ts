/**
 * Finds the authority that an invite names among the certificates that the other end shows. This verifies nothing,
 * because anybody can show a public certificate, and nothing is sent. The next connection is verified with this
 * authority.
 */
import { X509Certificate } from 'node:crypto'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { messageOf } from '../../../shared/error-message.ts'
import { fingerprintOf } from '../../../shared/identity/invite-line.ts'
import { JoinError } from './error.ts'

/** The witness shows two. */
const longestChain = 4

/**
 * @returns the authority's certificate, PEM
 * @throws JoinError
 */
export async function findAuthority(options: {
  host: string
  port: number
  fingerprint: string
  timeoutMs: number
}): Promise<string> {
  const { host, port, fingerprint } = options
  const authority = (await chainOf(options)).find((one) => fingerprintOf(one) === fingerprint)
  if (authority !== undefined) return authority.toString()
  throw new JoinError(
    `${host} port ${port} is not the witness that created this invite: the address is wrong, it is another witness, or something is intercepting the connection. ` +
      `The secret was not sent. Create another invite with the right --address on the witness host`,
  )
}

function chainOf({
  host,
  port,
  timeoutMs,
}: {
  host: string
  port: number
  timeoutMs: number
}): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
    const fail = (cause: Error): void => {
      reject(
        new JoinError(
          `the witness at ${host} port ${port} cannot be reached (${reasonOf(cause)}); check that witnessd is running, that the address is right, and that no firewall blocks this host. To use another address, create an invite with "witnessctl invite --address"`,
          { cause },
        ),
      )
    }
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('the connection was closed')))
    socket.once('secureConnect', () => {
      resolve(certificatesOf(socket))
      socket.destroy()
    })
  })
}

function certificatesOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next?.raw !== undefined && chain.length < longestChain) {
    chain.push(new X509Certificate(next.raw))
    // The last is its own issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate
  }
  return chain
}

function reasonOf(cause: Error): string {
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : messageOf(cause)
}
