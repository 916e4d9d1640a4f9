import assert from 'node:assert/strict'
import { urlOfHost } from '../../../agent/voter-url.ts'

describe('the URL of a voter', () => {
  it('is that of an address or a host name', () => {
    assert.equal(urlOfHost({ address: '10.0.0.11', port: 7401 }), 'https://10.0.0.11:7401')
    assert.equal(urlOfHost({ address: '2001:db8::11', port: 7401 }), 'https://[2001:db8::11]:7401')
    assert.equal(urlOfHost({ address: 'lb02.example', port: 443 }), 'https://lb02.example:443')
  })

  it('is none where another node gives what is no address, and throws nothing', () => {
    for (const address of [
      'lb 02',
      'lb02:7401',
      '10.0.0.11/24',
      '10.0.0.256',
      'fe80::1%eth0',
      '[2001:db8::11]',
      'https://10.0.0.11',
      'me@10.0.0.11',
      '10.0.0.11?',
      '10.0.0.11#',
      '10.0.0.11\\x',
      '',
    ])
      assert.equal(urlOfHost({ address, port: 7401 }), null, address)
  })
})
