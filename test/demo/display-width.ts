/** Columns of a terminal: Chinese characters take two, and a line may break between any two of them. */

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u
/** A line of Chinese never begins with one of these. */
const clingy = /^[，。；：、！？）」”]$/u

export function displayWidth(text: string): number {
  return Array.from(text).reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0)
}

export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

/** Lines of at most `width` columns; a word that is longer than a line stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const unit of units(text)) {
    const fits = displayWidth(line + unit.trimEnd()) <= width
    if (fits || line === '') line += unit
    else {
      lines.push(line.trimEnd())
      line = unit.trimStart()
    }
  }
  return [...lines, line.trimEnd()]
}

/** What must not be separated: a word and the space after it, or a Chinese character and its comma. */
function units(text: string): string[] {
  const found: string[] = []
  let word = ''
  const close = (): void => {
    if (word !== '') found.push(word)
    word = ''
  }
  for (const character of text) {
    if (clingy.test(character)) {
      close()
      found.push((found.pop() ?? '') + character)
    } else if (wide.test(character)) {
      close()
      found.push(character)
    } else {
      word += character
      if (character === ' ') close()
    }
  }
  close()
  return found
}
