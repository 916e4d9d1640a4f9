/** Whatever stands in agent.yaml: it is read, or refused with the places of all mistakes. */
import fc from 'fast-check'
import { agentConfigSchema } from '../../../agent/config.ts'
import { parseConfig } from '../../../shared/host/config-file.ts'
import { assertTellsItsMistakes, yamlSnippets } from '../../fixtures/config-errors.ts'
import { damaged } from '../../fixtures/damaged-text.ts'
import { storiesFrom } from '../../fixtures/effort.ts'

const path = '/etc/keepalived-witness/agent.yaml'
const good = `# the agent of lb01
cluster: web
node: lb01
witness: https://10.0.0.20:7400
listen: "[::]:7401"
advertise: 10.0.0.11
mode: enforce
fence: stop
alone: stop
rejoin: auto
gateway: 10.0.0.1
logLevel: info
keepalived:
  config: /etc/keepalived/keepalived.conf
  vrrpPidFile: null
  stopCommand: [systemctl, stop, keepalived]
  lastResortCommand:
    - systemctl
    - reboot
`

describe('agent.yaml under fuzz', function () {
  this.timeout(60_000)
  const read = (text: string): void =>
    assertTellsItsMistakes(text, path, () => parseConfig({ path, text, schema: agentConfigSchema }))

  it('tells the places of its mistakes, whatever they are', () =>
    fc.assert(
      fc.property(damaged(good, yamlSnippets), (text) => read(text)),
      { numRuns: storiesFrom(200) },
    ))

  it('is refused in the same way where it is no configuration at all', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.json(),
          fc.array(fc.constantFrom(...yamlSnippets)).map((all) => all.join(' ')),
        ),
        (text) => read(text),
      ),
      { numRuns: storiesFrom(133) },
    ))
})
