/** `npm run runtime`: installs the Node.js that the package carries, and prints where it is. */
import { join } from 'node:path'
import {
  architectures,
  type Architecture,
  installedRuntime,
  installRuntime,
  readPins,
} from './node-runtime.ts'

const root = join(import.meta.dirname, '../..')
const names = Object.keys(architectures) as Architecture[]
const architecture = names.find((name) => architectures[name].cpu === process.arch)
if (architecture === undefined) {
  console.error(
    `there is no Node.js for ${process.arch} in deploy/runtime; there is one for ${names.join(' and ')}`,
  )
  process.exit(1)
}
const pins = readPins(root)
installRuntime(architecture, pins, root)
const { program, version } = installedRuntime(architecture, pins, root)
console.log(`${program} (Node.js ${version})`)
