/** The names and numbers that all messages are made of, and their limits. */
import { z } from 'zod'

export const protocolVersion = 1

/** The TCP ports, if the configuration names no other. */
export const witnessPort = 7400
export const agentPort = 7401

/** The largest message either side accepts, in bytes. */
export const maxMessageBytes = 256 * 1024

/** The most nodes of one cluster: a pair; more is later work. */
export const maxNodes = 2

/** The most vrrp_instances of one cluster. */
export const maxInstances = 64

/** The most VIPs of an instance that an agent tells of. It protects all of them. */
export const maxVipsTold = 64

/** The most certificates of one node. */
export const mostGenerations = 1_000_000_000

/** The witness as a voter; no node may have this name. */
export const witness = 'witness'

/**
 * Names are keys of objects, on disk and in memory. A name that every object already has as a property would be found
 * where it is not.
 */
function isNoPropertyOfAll(text: string): boolean {
  return !(text in Object.prototype)
}

const propertyOfAll = 'this word is reserved in JavaScript; choose another name'

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'letters, digits, "_", "." and "-" only, at most 63')
  .refine(isNoPropertyOfAll, propertyOfAll)

export const clusterName = name

export const nodeName = name.refine(
  (text) => text !== witness,
  `"${witness}" is reserved for the witness; choose another name`,
)

/** As in keepalived.conf; it also names files under the run folder. */
export const instanceName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,62}$/, 'letters, digits and "_.:@-" only, at most 63')
  .refine(isNoPropertyOfAll, propertyOfAll)

export type NodeName = string

/** A node's name, or `witness`. */
export type VoterName = string

/** Number of an ownership. It grows with each change of holder and never goes back. */
export type Epoch = number

/**
 * The highest epoch. Far below 2^53, where numbers stop being exact, and never reached: a node that adds as much as one
 * message may add (`epochStep`) a hundred times a second needs nine years.
 */
export const mostEpoch = 2 ** 48

export const epoch = z.number().int().min(0).max(mostEpoch)

export const epochSchema = epoch

const bootIdLength = '8 to 64 characters are expected'

export const bootId = z.string().min(8, bootIdLength).max(64, bootIdLength)

export const durationMs = z.number().min(0).max(1e12)

export const text = z.string().max(500)

/** How often a node was given a certificate: part of its identity. */
export const generationSchema = z.number().int().min(1).max(mostGenerations)

/** Whether it can be the host of a URL, which is how the peer uses it. */
function isHost(text: string): boolean {
  const host = text.includes(':') ? `[${text}]` : text
  return /^[\w.:-]+$/.test(text) && URL.canParse(`https://${host}:${agentPort}`)
}

/**
 * Where a node's agent is reached. The node reports it, and it goes to the witness's disk and into the peer's plan,
 * so anything that is not an address is refused here.
 */
export const agentAddress = z
  .string()
  .max(253)
  .refine(isHost, 'an IP address (without a zone) or a host name is expected, and no port')
