import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { helpOf, programs, type Program } from '../../fixtures/help-text.ts'

const file = new URL('../../../deploy/completion/keepalived-witness.bash', import.meta.url).pathname

/** What bash offers after these words; the last one is under the cursor. */
function offered(words: readonly string[], cwd = '/'): string[] {
  const script = `
    . ${file}
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    wanted=$(complete -p "\${1##*/}") || exit 1
    wanted=\${wanted#*-F }
    "\${wanted%% *}" "$1" "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd })
    .split('\n')
    .filter((line) => line !== '')
}

describe('the completion of bash', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  for (const program of Object.keys(programs) as Program[])
    it(`offers every command and option of ${program} --help`, () => {
      for (const { command, options } of helpOf(program)) {
        if (command !== '') assert.ok(offered([program, command.slice(0, 3)]).includes(command), command)
        const words = offered([program, ...(command === '' ? [] : [command]), '--'])
        const missing = options.filter((option) => !words.includes(option))
        assert.deepEqual(missing, [], `${program} ${command}`)
      }
    })

  it('offers commands where one is due, and after one its own options', () => {
    assert.deepEqual(offered(['witness-agent', 'd']), ['doctor'])
    assert.deepEqual(offered(['witness-agent', 'take']), ['take-vote-back'])
    assert.deepEqual(offered(['witnessctl', '--url', 'https://x', 'ev']), ['events'])
    assert.deepEqual(offered(['witnessctl', 'events', '--f']), ['--follow'])
    assert.deepEqual(offered(['/usr/bin/witnessctl', 'drill', '--i']), ['--including-holder'])
    assert.deepEqual(offered(['witness-check', '--']), ['--state-dir'])
  })

  it('offers files and folders where an option wants one, and nothing where only the user knows', () => {
    mkdirSync(folder('states'))
    writeFileSync(folder('settings.yaml'), '')
    assert.deepEqual(offered(['witnessd', '--config', 'set'], folder()), ['settings.yaml'])
    assert.deepEqual(offered(['witness-agent', 'join', '--state-dir', 's'], folder()), ['states'])
    assert.deepEqual(offered(['witnessctl', 'remove', '--node', '']), [])
  })

  it('starts no program at a key press', () => {
    const script = `. ${file}; PATH=; COMP_WORDS=(witnessctl st); COMP_CWORD=1; _keepalived_witness witnessctl; printf '%s' "\${COMPREPLY[*]}"`
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
    assert.deepEqual([stdout, stderr], ['status', ''])
  })
})
