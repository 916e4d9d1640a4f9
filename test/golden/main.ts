/** `npm run golden`: writes decisions.md anew; with `--check` it only says where the file and the code part. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describeDecisions, goldenFile } from './decisions.ts'
import { firstDifference } from './difference.ts'

function check(): number {
  const difference = firstDifference(readFileSync(goldenFile, 'utf8'), describeDecisions())
  if (difference === null) return 0
  console.error(
    `test/golden/decisions.md is not what the code says; "npm run golden" writes it anew.\n${difference}`,
  )
  return 1
}

const args = process.argv.slice(2)
if (args.length === 0) writeFileSync(goldenFile, describeDecisions())
else if (args.length === 1 && args[0] === '--check') process.exitCode = check()
else {
  console.error('usage: npm run golden [-- --check]')
  process.exitCode = 2
}
