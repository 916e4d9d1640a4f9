/** PEM files that hold a private key and its certificate together, as the identity files and the authority's do. */

const pemBlock = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----\n?/g

/** The first private key and the first certificate in the text, each with its lines; undefined if there is none. */
export function readKeyAndCertificate(text: string): {
  readonly key: string | undefined
  readonly certificate: string | undefined
} {
  const blocks = [...text.matchAll(pemBlock)]
  const first = (label: string): string | undefined => blocks.find(([, each]) => each === label)?.[0]
  return { key: first('PRIVATE KEY'), certificate: first('CERTIFICATE') }
}
