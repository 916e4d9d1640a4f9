/** Colour for terminals, and text that cannot disturb one. */

export type Colour = 'red' | 'yellow' | 'green' | 'bold'
export type Paint = (text: string, colour: Colour) => string

const codes: Readonly<Record<Colour, string>> = { red: '31', yellow: '33', green: '32', bold: '1' }

/** https://no-color.org: any value of NO_COLOR but the empty one turns colour off. */
export function painter(output: { isTty: boolean; noColor: string | undefined }): Paint {
  if (!output.isTty || (output.noColor ?? '') !== '') return (text) => text
  return (text, colour) => `\u001b[${codes[colour]}m${text}\u001b[0m`
}

/** Names and reasons come from other hosts, so their control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
}
