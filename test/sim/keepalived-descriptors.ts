import { type DescriptorLimits } from './event-loop.ts'

/** What keepalived's VRRP process waits for: adverts, inotify, the kernel's news, signals (also of ended children). */
export type KeepalivedDescriptor = 'adverts' | 'files' | 'kernel' | 'signals'

const all = { readAtOnce: Infinity, capacity: Infinity }

export const keepalivedLimits: Readonly<Record<KeepalivedDescriptor, DescriptorLimits>> = {
  // vrrp_dispatcher_read() stops after the second advert of an instance. A socket's buffer of 208 KiB (the kernel's
  // default) holds this many adverts, of 768 bytes with the kernel's own.
  adverts: { readAtOnce: 2, capacity: 277 },
  files: all,
  kernel: all,
  signals: all,
}
