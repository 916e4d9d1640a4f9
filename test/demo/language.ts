/** Which language the story is told in. */
export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** In the order in which setlocale(3) looks for the language of messages. */
export function languageOf(env: Readonly<Record<string, string | undefined>>): Language {
  const wanted = [env.LC_ALL, env.LC_MESSAGES, env.LANG].find((value) => value !== undefined && value !== '')
  return wanted?.startsWith('zh') === true ? 'zh' : 'en'
}
