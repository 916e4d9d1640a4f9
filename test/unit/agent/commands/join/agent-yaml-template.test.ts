import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { agentYamlTemplate } from '../../../../../agent/commands/join/agent-yaml-template.ts'

describe('agent-yaml-template', () => {
  it('is the example that the package brings', () =>
    assert.equal(agentYamlTemplate, readFileSync('deploy/examples/agent.yaml', 'utf8')))
})
