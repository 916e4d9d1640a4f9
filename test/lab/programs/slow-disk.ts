/**
 * Loaded before a program of the product: each of its fsyncs takes this much longer, as on a disk that others keep busy.
 * What is written is there for other readers at once, as it is in the page cache.
 */
import fs from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

const slowerByMs = 300

const fsyncSync = fs.fsyncSync
fs.fsyncSync = (descriptor) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, slowerByMs)
  fsyncSync(descriptor)
}

const open = fs.promises.open
fs.promises.open = async (...options) => {
  const handle = await open(...options)
  const sync = handle.sync.bind(handle)
  handle.sync = async () => {
    await wait(slowerByMs)
    await sync()
  }
  return handle
}
