/** Texts of a configuration with mistakes in them: lines and characters lost, doubled, moved and put in. */
import fc from 'fast-check'

type Damage =
  | { readonly do: 'put'; readonly at: number; readonly cut: number; readonly text: string }
  | { readonly do: 'drop-line' | 'double-line' | 'indent-line'; readonly at: number }
  | { readonly do: 'swap-lines'; readonly at: number; readonly with: number }
  | { readonly do: 'set-value'; readonly at: number; readonly text: string }

/** @param snippets what means something in such a text */
export function damaged(text: string, snippets: readonly string[]): fc.Arbitrary<string> {
  const snippet = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...snippets) },
    { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  )
  const at = fc.nat(10_000)
  const damage: fc.Arbitrary<Damage> = fc.oneof(
    fc.record({ do: fc.constant('put' as const), at, cut: fc.nat(12), text: snippet }),
    fc.record({ do: fc.constant('set-value' as const), at, text: snippet }),
    fc.record({
      do: fc.constantFrom('drop-line' as const, 'double-line' as const, 'indent-line' as const),
      at,
    }),
    fc.record({ do: fc.constant('swap-lines' as const), at, with: at }),
  )
  return fc.array(damage, { minLength: 1, maxLength: 5 }).map((all) => all.reduce(apply, text))
}

function apply(text: string, damage: Damage): string {
  const lines = text.split('\n')
  const at = damage.at % (damage.do === 'put' ? text.length + 1 : lines.length)
  const line = lines[at] ?? ''
  switch (damage.do) {
    case 'put':
      return text.slice(0, at) + damage.text + text.slice(at + damage.cut)
    case 'drop-line':
      return lines.toSpliced(at, 1).join('\n')
    case 'double-line':
      return lines.toSpliced(at, 0, line).join('\n')
    case 'indent-line':
      return lines.with(at, `  ${line}`).join('\n')
    case 'swap-lines': {
      const other = damage.with % lines.length
      return lines
        .with(at, lines[other] ?? '')
        .with(other, line)
        .join('\n')
    }
    case 'set-value':
      return lines
        .with(
          at,
          line.replace(/(?<=[: ] *)\S+$/, () => damage.text),
        )
        .join('\n')
  }
}
