// Bundles the daemons and the CLI into single files that start without node_modules.
import { build } from 'esbuild'
import { chmod, copyFile, mkdir, readFile, rm } from 'node:fs/promises'

const { version } = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'))

const programs = {
  witnessd: 'server/main.ts',
  'witness-agent': 'agent/main.ts',
  witnessctl: 'server/witnessctl/main.ts',
}

await rm('dist', { recursive: true, force: true })
await mkdir('dist')
for (const [name, entry] of Object.entries(programs)) {
  await build({
    entryPoints: [entry],
    outfile: `dist/${name}.cjs`,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    minifySyntax: true,
    legalComments: 'linked',
    banner: { js: '#!/usr/bin/env node' },
    define: { 'process.env.KEEPALIVED_WITNESS_VERSION': JSON.stringify(version) },
    logLevel: 'warning',
  })
  await chmod(`dist/${name}.cjs`, 0o755)
}
await copyFile('agent/witness-check', 'dist/witness-check')
await chmod('dist/witness-check', 0o755)
