import assert from 'node:assert/strict'
import { agentConfigSchema } from '../../../agent/config.ts'
import { ConfigError, parseConfig } from '../../../shared/host/config-file.ts'

const least = 'cluster: web\nnode: lb01\nwitness: https://10.0.0.20:7400\n'
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

  it('reads where the witness is, at any port', () => {
    for (const url of [
      'https://witness.example:7400',
      'https://[2001:db8::20]:7400',
      'https://10.0.0.20:443',
    ])
      assert.equal(parse(least.replace('https://10.0.0.20:7400', `"${url}/"`)).witness, url)
  })

  it('reads an IPv6 endpoint', () => {
    assert.deepEqual(parse(`${least}listen: "[::]:7401"\n`).listen, { address: '::', port: 7401 })
  })

  it('takes as advertise what the peer can dial, and not a port with it', () => {
    for (const address of ['10.0.0.11', '2001:db8::11', 'lb01.example'])
      assert.equal(parse(`${least}advertise: "${address}"\n`).advertise, address)
    for (const address of ['10.0.0.11:7401', 'lb01 ', '10.0.0.11/24', 'https://lb01', '10.0.0.256', ''])
      assert.match(
        mistakes(`${least}advertise: "${address}"\n`),
        /^agent\.yaml:4:12: advertise: an IP address .* is expected, and no port/,
        address,
      )
  })

  it('says what is wrong where', () => {
    assert.match(mistakes('cluster: web\n'), /node: missing/)
    assert.match(
      mistakes(`${least}nodes: 3\n`),
      /^agent\.yaml:4:1: nodes: unknown option; did you mean node\?$/,
    )
    assert.match(mistakes(`${least}listen: 7401\n`), /^agent\.yaml:4:9: listen:/)
    assert.match(mistakes(`${least}listen: 0.0.0.0:99999\n`), /a port is at most 65535/)
    for (const url of [
      'http://10.0.0.20:7400',
      'https://10.0.0.20:7400/agent',
      'https://me@10.0.0.20:7400',
      'https://10.0.0.20',
      '10.0.0.20:7400',
    ])
      assert.match(
        mistakes(least.replace('https://10.0.0.20:7400', url)),
        /^agent\.yaml:3:10: witness: https:\/\/HOST:PORT of the witness is expected/,
        url,
      )
    assert.match(mistakes(least.replace('lb01', 'witness')), /reserved for the witness/)
    assert.match(
      mistakes(`${least}keepalived:\n  stopCommand: systemctl stop keepalived\n`),
      /^agent\.yaml:5:16: keepalived\.stopCommand:.*list/,
    )
  })
})
