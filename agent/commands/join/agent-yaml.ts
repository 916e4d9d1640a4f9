/**
 * agent.yaml as `join` writes it: some options are set, and everything else stays as the admin wrote it, comments
 * included.
 */
import { readFileSync } from 'node:fs'
import { isMap, isScalar, parseDocument, type Document } from 'yaml'
import { ConfigError, parseConfig, unresolvedAliases } from '../../../shared/host/config-file.ts'
import { messageOf } from '../../../shared/error-message.ts'
import { agentConfigSchema, type AgentConfig } from '../../config.ts'
import { agentYamlTemplate } from './agent-yaml-template.ts'

export interface AgentYaml {
  readonly text: string
  readonly config: AgentConfig
  /** False: made from the template. */
  readonly wasThere: boolean
}

/** Options of the first version, in which every host had the same secret. */
const gone = ['tokenFile']

/**
 * @param set options by name; null: unchanged
 * @throws ConfigError if the result is not a valid configuration; nothing is written here
 */
export function draftAgentYaml(
  path: string,
  set: Readonly<Record<'cluster' | 'node' | 'witness' | 'listen' | 'stateDir', string | null>>,
): AgentYaml {
  const found = readIfThere(path)
  const document = parseDocument(found ?? agentYamlTemplate, { logLevel: 'error' })
  // This reports the mistakes with their places.
  if (
    document.errors.length > 0 ||
    unresolvedAliases(document).length > 0 ||
    (document.contents !== null && !isMap(document.contents))
  )
    parseConfig({ path, text: found ?? '', schema: agentConfigSchema })
  for (const name of gone) if (document.has(name)) document.delete(name)
  for (const [name, value] of Object.entries(set)) if (value !== null) setOption(document, name, value)
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  return { text, config: parseConfig({ path, text, schema: agentConfigSchema }), wasThere: found !== null }
}

/** The comment behind a value stays. */
function setOption(document: Document, name: string, value: string): void {
  const scalar = document.contents === null ? null : document.get(name, true)
  if (isScalar(scalar)) scalar.value = value
  else document.set(name, value)
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new ConfigError([`${path}: cannot be read: ${messageOf(cause)}`], { cause })
  }
}
