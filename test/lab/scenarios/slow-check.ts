/** The product's own check is late because its host is, and nothing else is wrong. */
import { type ClusterUnderTest } from '../cluster-under-test.ts'
import { checkPath } from '../keepalived-config.ts'
import { bothKeepalivedRunAtEnd, keepsVip, nobodyFenced, notDarkAfterHeal } from '../musts.ts'
import { type Scenario } from '../scenario.ts'
import { startWarm } from '../steady-state.ts'

/** One line for each run of the check that is to come: how long it is delayed, in seconds. */
const delays = '/run/check-delays'

/** As a fork or a disk delays it: before it does anything. */
const delayed = `#!/bin/sh
if [ -s ${delays} ]; then
    delay=$(head -n 1 ${delays})
    sed -i 1d ${delays}
    sleep "$delay"
fi
exec ${checkPath}.real "$@"
`

async function slowDown(cluster: ClusterUnderTest): Promise<void> {
  await cluster.host('lb01').shell(`mv ${checkPath} ${checkPath}.real
cat >${checkPath} <<'END'
${delayed}END
chmod 755 ${checkPath}`)
  await startWarm(cluster)
}

function slowCheck(variant: string, fault: string, seconds: readonly number[]): Scenario {
  return {
    name: `slow-check/${variant}`,
    fault,
    faults: [],
    comparable: false,
    prepare: slowDown,
    begin: async (cluster) => {
      await cluster.host('lb01').shell(`printf '%s\\n' ${seconds.join(' ')} >${delays}`)
    },
    // One run a second, and what keepalived makes of the last one.
    faultMs: 1000 * seconds.length + 4000,
    heal: () => Promise.resolve(),
    healedMs: 20_000,
    rightful: 'lb01',
    musts: [...keepsVip('lb01', { overlapMs: 0 }), nobodyFenced(), bothKeepalivedRunAtEnd()],
    benchMusts: [notDarkAfterHeal],
  }
}

const tenTimes = Array.from({ length: 10 }, () => 0.9)

export const slowChecks: readonly Scenario[] = [
  slowCheck('once', 'one run of the check on the holder takes 1.3 s longer', [1.3]),
  slowCheck(
    'ten-times',
    'ten runs of the check on the holder, one after the other, take 0.9 s longer',
    tenTimes,
  ),
]
