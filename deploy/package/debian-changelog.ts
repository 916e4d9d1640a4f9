/** debian/changelog, made from CHANGELOG.md, so that the history is written once. */

export class ChangelogError extends Error {
  readonly code = 'changelog'
}

interface Release {
  /** As in the heading: "Unreleased" or a version. */
  readonly name: string
  /** `2026-11-21` of the heading; null: it has none. */
  readonly date: string | null
  readonly changes: readonly string[]
}

const mostColumns = 78

/**
 * @param history.markdown in the form of Keep a Changelog
 * @param history.version what is packaged; the newest section belongs to it, whatever its heading is
 * @param history.atMs wall clock, for a section without a date
 * @throws ChangelogError if there is nothing to list
 */
export function debianChangelog(history: {
  readonly markdown: string
  readonly package: string
  readonly version: string
  readonly maintainer: string
  readonly atMs: number
}): string {
  const releases = releasesOf(history.markdown).filter(({ changes }) => changes.length > 0)
  if (releases.length === 0)
    throw new ChangelogError(
      'CHANGELOG.md: no section "## [NAME]" with changes; write what is new under "## [Unreleased]"',
    )
  return releases
    .map((release, index) => {
      const version = index === 0 ? history.version : debianVersion(release.name)
      const atMs = release.date === null ? history.atMs : Date.parse(`${release.date}T12:00:00Z`)
      const body = release.changes.map((change) => wrapped(change)).join('\n')
      return (
        `${history.package} (${version}) unstable; urgency=medium\n\n${body}\n\n` +
        ` -- ${history.maintainer}  ${rfc2822(atMs)}\n`
      )
    })
    .join('\n')
}

/** A pre-release comes before its release, which Debian expresses with a tilde (deb-version(7)). */
export function debianVersion(version: string): string {
  return version.replace('-', '~')
}

function releasesOf(markdown: string): Release[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n')
      const [, name = heading.trim(), date = null] =
        /^\[([^\]]+)\](?:\s*-\s*(\d{4}-\d{2}-\d{2}))?/.exec(heading) ?? []
      return { name, date, changes: changesOf(lines) }
    })
}

/** The bullets, each as one line; the heading above ("Added") goes before the text. */
function changesOf(lines: readonly string[]): string[] {
  const changes: string[] = []
  let kind = ''
  for (const line of lines) {
    const [, heading] = /^### (.+)/.exec(line) ?? []
    const [, bullet] = /^- (.+)/.exec(line) ?? []
    if (heading !== undefined) kind = `${heading.trim()}: `
    else if (bullet !== undefined) changes.push(kind + bullet.trim())
    else if (/^\s+\S/.test(line) && changes.length > 0) changes.push(`${changes.pop() ?? ''} ${line.trim()}`)
  }
  return changes.map((change) => change.replaceAll('`', ''))
}

function wrapped(change: string): string {
  const lines = ['  *']
  for (const word of change.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line.length + 1 + word.length <= mostColumns) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(`    ${word}`)
  }
  return lines.join('\n')
}

function rfc2822(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000')
}
