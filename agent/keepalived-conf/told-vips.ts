/**
 * How many VIPs of each instance an agent tells of. All profiles go out in one message, and a longer one than both sides
 * accept would end the connection each time that it is made.
 */
import { maxMessageBytes, maxVipsTold } from '../../shared/protocol/names.ts'
import type { Profile } from '../../shared/protocol/plan.ts'

/** For the rest of the hello, and for what is added to each profile before it is sent. */
const restBytes = 16 * 1024

/** The profiles, with so many VIPs each that one message holds them. The agent protects all VIPs in any case. */
export function withToldVips(profiles: readonly Profile[], warnings: string[]): Profile[] {
  let most = maxVipsTold
  const told = (): Profile[] => profiles.map((profile) => ({ ...profile, vips: profile.vips.slice(0, most) }))
  while (most > 1 && bytesOf(told()) > maxMessageBytes - restBytes) most -= 1
  if (most < maxVipsTold)
    warnings.push(
      `keepalived.conf has more VIPs than one message to the witness and to the other node holds (${maxMessageBytes / 1024} KiB), so they are told the first ${most} of each instance; the agent protects all of them`,
    )
  return told()
}

function bytesOf(profiles: readonly Profile[]): number {
  return Buffer.byteLength(JSON.stringify(profiles))
}
