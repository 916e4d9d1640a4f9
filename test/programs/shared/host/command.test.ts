import assert from 'node:assert/strict'
import { runCommand } from '../../../../shared/host/command.ts'

describe('runCommand', () => {
  it('gives back what the program printed', async () => {
    const result = await runCommand(['echo', 'a  b'], { timeoutMs: 5000 })
    assert.deepEqual(result, { error: null, stdout: 'a  b\n', stderr: '' })
  })

  it('passes arguments as they are, without a shell', async () => {
    const { stdout } = await runCommand(['echo', '$HOME; true'], { timeoutMs: 5000 })
    assert.equal(stdout, '$HOME; true\n')
  })

  it('tells the exit code and the last words of a program that failed', async () => {
    const { error } = await runCommand(['sh', '-c', 'echo no such unit >&2; exit 5'], { timeoutMs: 5000 })
    assert.match(error ?? '', /exit code 5: no such unit$/)
  })

  it('tells that a program does not exist', async () => {
    const { error } = await runCommand(['/nonexistent/program'], { timeoutMs: 5000 })
    assert.equal(error, '"/nonexistent/program": no such program')
  })

  it('kills a program at the deadline and says so', async () => {
    const { error } = await runCommand(['sleep', '60'], { timeoutMs: 30 })
    assert.equal(error, '"sleep 60" did not end within 30 ms and was killed')
  })
})
