import assert from 'node:assert/strict'
import { languageOf } from '../../demo/language.ts'

describe('the language of the demo', () => {
  it('is Chinese where the locale is', () => {
    assert.equal(languageOf({ LANG: 'zh_CN.UTF-8' }), 'zh')
  })

  it('is English otherwise', () => {
    assert.equal(languageOf({ LANG: 'de_DE.UTF-8' }), 'en')
    assert.equal(languageOf({}), 'en')
  })

  it('follows LC_ALL before LANG, and passes over what is empty', () => {
    assert.equal(languageOf({ LC_ALL: 'C', LANG: 'zh_CN.UTF-8' }), 'en')
    assert.equal(languageOf({ LC_ALL: '', LANG: 'zh_CN.UTF-8' }), 'zh')
  })
})
