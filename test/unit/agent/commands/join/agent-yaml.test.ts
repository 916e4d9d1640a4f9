import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { draftAgentYaml } from '../../../../../agent/commands/join/agent-yaml.ts'
import { agentYamlTemplate } from '../../../../../agent/commands/join/agent-yaml-template.ts'
import { ConfigError } from '../../../../../shared/host/config-file.ts'
import { temporaryFolder } from '../../../../fixtures/temporary-folder.ts'

const set = { cluster: 'db', node: 'lb07', witness: 'https://10.9.9.9:7400', listen: null, stateDir: null }

describe('agent-yaml', () => {
  const file = temporaryFolder()

  it('begins with the template: only what the invite says is another, each comment stays', () => {
    const { text, config, wasThere } = draftAgentYaml(file('agent.yaml'), set)
    assert.equal(wasThere, false)
    assert.equal(config.node, 'lb07')
    const others = (one: string): string[] =>
      one.split('\n').filter((line) => !/^(cluster|node|witness):/.test(line))
    assert.deepEqual(others(text), others(agentYamlTemplate))
    assert.match(text, /^witness: https:\/\/10\.9\.9\.9:7400 # an address rather than a name/m)
    assert.equal(existsSync(file('agent.yaml')), false, 'a draft writes nothing')
  })

  it('adds what an existing file lacks, and takes the token of the first version away', () => {
    writeFileSync(file('agent.yaml'), 'tokenFile: /etc/token\nmode: observe # one week\n')
    const { text, wasThere } = draftAgentYaml(file('agent.yaml'), { ...set, listen: '[::]:7411' })
    assert.equal(wasThere, true)
    assert.equal(
      text,
      'mode: observe # one week\ncluster: db\nnode: lb07\nwitness: https://10.9.9.9:7400\nlisten: "[::]:7411"\n',
    )
  })

  it('names file and line of an alias that nothing defines', () => {
    writeFileSync(file('agent.yaml'), 'mode: observe\ngateway: *router\n')
    assert.throws(
      () => draftAgentYaml(file('agent.yaml'), set),
      (error: unknown) =>
        error instanceof ConfigError &&
        error.message.startsWith(
          `${file('agent.yaml')}:2:10: not YAML: "*router" repeats what "&router" marks`,
        ),
    )
  })

  it('fills an empty file', () => {
    writeFileSync(file('agent.yaml'), '')
    assert.equal(draftAgentYaml(file('agent.yaml'), set).config.cluster, 'db')
    writeFileSync(file('agent.yaml'), '# to do\n')
    assert.match(draftAgentYaml(file('agent.yaml'), set).text, /^# to do\n/)
  })

  it('refuses what is no configuration, with the place of the mistake', () => {
    for (const [text, says] of [
      ['a: [\n', /agent\.yaml:\d+:\d+: not YAML/],
      ['- a\n', /agent\.yaml:1:1: /],
      ['mode: sleep\n', /agent\.yaml:1:7: mode: "sleep" is not one of/],
    ] as const) {
      writeFileSync(file('agent.yaml'), text)
      assert.throws(
        () => draftAgentYaml(file('agent.yaml'), set),
        (error) => error instanceof ConfigError && says.test(error.message),
        text,
      )
    }
    mkdirSync(file('folder'))
    assert.throws(() => draftAgentYaml(file('folder'), set), ConfigError)
    assert.throws(
      () => draftAgentYaml(file('other'), { ...set, listen: 'nowhere' }),
      /listen: .*ADDRESS:PORT/,
    )
  })
})
