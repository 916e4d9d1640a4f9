import assert from 'node:assert/strict'
import { agentConfigSchema } from '../../../agent/config.ts'
import { ConfigError, parseConfig } from '../../../shared/config-file.ts'

const least = 'cluster: web\nnode: lb01\nwitness: http://10.0.0.20:7400\n'
const parse = (text: string): ReturnType<typeof agentConfigSchema.parse> =>
  parseConfig({ path: 'agent.yaml', text, schema: agentConfigSchema })
const mistakes = (text: string): string => {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

describe('agent.yaml', () => {
  it('needs cluster, node and witness, and has a default for everything else', () => {
    const config = parse(least)
    assert.deepEqual(config.listen, { address: '0.0.0.0', port: 7401 })
    assert.equal(config.mode, 'enforce')
    assert.equal(config.alone, 'stop')
    assert.deepEqual(config.keepalived.stopCommand, ['systemctl', 'stop', 'keepalived'])
    assert.equal(config.keepalived.lastResortCommand, null)
  })

  it('reads an IPv6 endpoint', () => {
    assert.deepEqual(parse(`${least}listen: "[::]:7401"\n`).listen, { address: '::', port: 7401 })
  })

  it('says what is wrong where', () => {
    assert.match(mistakes('cluster: web\n'), /node: missing/)
    assert.match(
      mistakes(`${least}nodes: 3\n`),
      /^agent\.yaml:4:1: nodes: unknown option; did you mean node\?$/,
    )
    assert.match(mistakes(`${least}listen: 7401\n`), /^agent\.yaml:4:9: listen:/)
    assert.match(mistakes(`${least}listen: 0.0.0.0:99999\n`), /a port is at most 65535/)
    assert.match(mistakes(least.replace('http:', 'https:')), /http:\/\/HOST:PORT of the witness is expected/)
    assert.match(mistakes(least.replace('lb01', 'witness')), /the witness's own name/)
    assert.match(
      mistakes(`${least}keepalived:\n  stopCommand: systemctl stop keepalived\n`),
      /^agent\.yaml:5:16: keepalived\.stopCommand:.*list/,
    )
  })
})
