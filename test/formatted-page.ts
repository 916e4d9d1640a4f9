/** Markdown that a program writes has the form that `npm run check` asks of all Markdown. */
import { format, resolveConfig } from 'prettier'

export async function formattedPage(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path })
}
