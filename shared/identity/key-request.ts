/**
 * A private key that is made on this host and never leaves it, and the request to sign its public half (PKCS #10, RFC
 * 2986). The request carries no name, because the witness decides whose certificate it becomes.
 */
import type * as X509 from '@peculiar/x509'
import { createPrivateKey, webcrypto, type webcrypto as WebCrypto } from 'node:crypto'

export interface KeyRequest {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PKCS #10, PEM. */
  readonly request: string
}

/** What every key of this project is: P-256 is what every TLS library and every OpenSSL policy level takes. */
export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
export const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const

/** No request of ours is nearly as long. */
export const longestRequest = 4096

export async function makeKeyRequest(): Promise<KeyRequest> {
  const x509 = await loadX509()
  const keys = await makeKeyPair()
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=keepalived-witness', keys, signingAlgorithm },
    webcrypto,
  )
  return { key: await privateKeyPem(keys.privateKey), request: `${request.toString('pem')}\n` }
}

export function makeKeyPair(): Promise<WebCrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

export async function privateKeyPem(key: WebCrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: 'pkcs8',
  })
  return pem.toString()
}

/**
 * Loaded only when needed, because an agent needs it twice a year and it would cost a tenth of a second at each
 * start.
 */
export async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}
