// Bundles the daemons and the CLI into single files that start without node_modules.
import { build } from 'esbuild'
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'

const { version } = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'))

const programs = {
  witnessd: 'server/main.ts',
  'witness-agent': 'agent/main.ts',
  witnessctl: 'server/witnessctl/main.ts',
}

/** The packages whose code the programs carry: `npm run package` ships their licences. */
const bundled = new Set()

// dist/packages is what `npm run package` made, and stays.
await mkdir('dist', { recursive: true })
for (const [name, entry] of Object.entries(programs)) {
  await rm(`dist/${name}.cjs`, { force: true })
  await rm(`dist/${name}.cjs.LEGAL.txt`, { force: true })
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: `dist/${name}.cjs`,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minifySyntax: true,
    legalComments: 'linked',
    banner: { js: '#!/usr/bin/env node' },
    define: { 'process.env.KEEPALIVED_WITNESS_VERSION': JSON.stringify(version) },
    logLevel: 'warning',
    metafile: true,
  })
  for (const input of Object.keys(metafile.inputs)) {
    const [, owner] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? []
    if (owner !== undefined) bundled.add(owner)
  }
  await chmod(`dist/${name}.cjs`, 0o755)
}
await copyFile('agent/check/witness-check', 'dist/witness-check')
await chmod('dist/witness-check', 0o755)
await writeFile('dist/bundled.json', `${JSON.stringify([...bundled].sort(), null, 2)}\n`)
