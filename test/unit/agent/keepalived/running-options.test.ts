import assert from 'node:assert/strict'
import { optionsIn, readingOf } from '../../../../agent/keepalived/running-options.ts'
import { usualConfig } from '../../../../agent/keepalived/usual-paths.ts'

const none = { config: null, configId: null }

describe('the options of the running keepalived', () => {
  const cases: readonly [string, ReturnType<typeof optionsIn>][] = [
    ['keepalived --dont-fork', none],
    ['keepalived -i blue', { ...none, configId: 'blue' }],
    ['keepalived -iblue -f/etc/k.conf', { config: '/etc/k.conf', configId: 'blue' }],
    ['keepalived --config-id=blue --use-file=/etc/k.conf', { config: '/etc/k.conf', configId: 'blue' }],
    ['keepalived --config-id blue --use-file /etc/k.conf', { config: '/etc/k.conf', configId: 'blue' }],
    ['keepalived -Dni blue', { ...none, configId: 'blue' }],
    ['keepalived -i red -i blue', { ...none, configId: 'blue' }],
    ['keepalived -p /run/i.pid -S 3', none],
  ]
  for (const [line, found] of cases)
    it(`are read from "${line}"`, () => assert.deepEqual(optionsIn(line.split(' ')), found))
})

describe('which configuration is read', () => {
  const usual = { config: usualConfig, configId: null }

  it('is what keepalived was started with, where agent.yaml says nothing', () =>
    assert.deepEqual(readingOf(usual, { config: '/etc/k.conf', configId: 'blue' }), {
      reading: { config: '/etc/k.conf', configId: 'blue' },
      contradictions: [],
    }))

  it('is what agent.yaml says, and a contradiction is named with both values', () => {
    const said = { config: '/etc/own.conf', configId: 'red' }
    const { reading, contradictions } = readingOf(said, { config: '/etc/k.conf', configId: 'blue' })
    assert.deepEqual(reading, said)
    assert.match(contradictions[0] ?? '', /\/etc\/k\.conf \(-f\).*names \/etc\/own\.conf/)
    assert.match(contradictions[1] ?? '', /blue \(-i\).*is red/)
    assert.deepEqual(readingOf(said, { config: said.config, configId: 'red' }).contradictions, [])
  })

  it('is not a file with a relative name', () =>
    assert.equal(readingOf(usual, { config: 'k.conf', configId: null }).reading.config, usualConfig))

  it('stays as it was while keepalived is not found, and ends with a keepalived without the option', () => {
    const last = { config: usualConfig, configId: 'blue' }
    assert.deepEqual(readingOf(usual, null, last).reading, last)
    assert.deepEqual(readingOf(usual, none, last).reading, usual)
  })
})
