import { type DescriptorLimits } from '../world/event-loop.ts'

/** What keepalived's VRRP process waits for: adverts, inotify, the kernel's news, signals (also of ended children). */
export type KeepalivedDescriptor = 'adverts' | 'files' | 'kernel' | 'signals'

const all = { readAtOnce: Infinity, capacity: Infinity }

export const keepalivedLimits: Readonly<Record<KeepalivedDescriptor, DescriptorLimits>> = {
  // vrrp_dispatcher_read() stops after the second advert of an instance. The kernel's default buffer of 208 KiB uses
  // 832 bytes for each: of 400 adverts sent to a stopped keepalived, it read 256.
  adverts: { readAtOnce: 2, capacity: 256 },
  files: all,
  kernel: all,
  signals: all,
}
