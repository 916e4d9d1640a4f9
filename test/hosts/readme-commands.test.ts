import assert from 'node:assert/strict'
import { ReadmeError, readmeSteps } from './readme-commands.ts'

const readme = `# A product

## Protect

Words.

**On the witness host:**

\`\`\`sh
sudo invite   # prints a line
\`\`\`

**On lb02, then on lb01:**

\`\`\`sh
sudo join
# a remark

sudo setup
\`\`\`

### Later

**On each node:**

\`\`\`sh
sudo upgrade
\`\`\`

## Other

\`\`\`sh
npm ci
\`\`\`
`

describe('the commands of a section of the README', () => {
  it('are read host by host, in the order in which the hosts are named', () => {
    assert.deepEqual(
      readmeSteps(readme, 'Protect').map(({ host, line }) => `${host}: ${line}`),
      [
        'witness: sudo invite   # prints a line',
        ...['lb02: sudo join', 'lb02: sudo setup'],
        ...['lb01: sudo join', 'lb01: sudo setup'],
      ],
    )
  })

  it('are those of the section alone, not of the sections below it', () => {
    assert.deepEqual(
      readmeSteps(readme, 'Later').map(({ host }) => host),
      ['lb01', 'lb02'],
    )
  })

  it('know the line that they stand in', () => {
    assert.equal(readmeSteps(readme, 'Protect')[0]?.lineNumber, 10)
  })

  it('refuses a block that does not say on which host', () => {
    assert.throws(
      () => readmeSteps(readme, 'Other'),
      new ReadmeError('README line 32: the line before the commands does not say on which host: ## Other'),
    )
  })

  it('refuses a host that the lab does not have', () => {
    assert.throws(
      () => readmeSteps('## A\n**On lb03:**\n\n```sh\nls\n```\n', 'A'),
      /the lab has no host "lb03"/,
    )
  })

  it('refuses a section that is not there', () => {
    assert.throws(() => readmeSteps(readme, 'Nothing'), ReadmeError)
  })
})
