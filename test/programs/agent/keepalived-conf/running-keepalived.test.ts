import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { parseKeepalivedConf } from '../../../../agent/keepalived-conf/profiles.ts'
import { deviceOfVip, vipOfDump } from '../../../../agent/keepalived/vip.ts'
import { maxVipsTold } from '../../../../shared/protocol/names.ts'
import type { Profile } from '../../../../shared/protocol/plan.ts'
import type { Vip } from '../../../../agent/keepalived/vip.ts'
import { storiesFrom } from '../../../fixtures/effort.ts'
import { anyShape } from '../../../fixtures/any-keepalived-conf.ts'
import { shapes, type Shape } from '../../../fixtures/keepalived-shapes.ts'
import { askKeepalived, ConfigurationFolder } from '../../../fixtures/running-keepalived.ts'
import { programOrSkip, skipAloud } from '../../../skip-aloud.ts'

/** What one instance comes to, in the same words for the product's reading and for keepalived's dump. */
interface Reading {
  readonly virtualRouterId: unknown
  readonly priority: unknown
  readonly version: unknown
  readonly advertIntMs: unknown
  readonly nopreempt: unknown
  readonly vips: readonly string[]
}

function ofProduct({ virtualRouterId, priority, version, advertIntMs, nopreempt, vips }: Profile): Reading {
  return { virtualRouterId, priority, version, advertIntMs, nopreempt, vips: [...vips].sort() }
}

function ofDump(data: Record<string, unknown>): Reading {
  return {
    virtualRouterId: data.vrid,
    priority: data.base_priority,
    version: data.version,
    advertIntMs: Math.round(Number(data.adver_int) * 1000),
    nopreempt: data.nopreempt,
    vips: [...new Set(writtenIn(data).map((text) => text.split(' ', 1)[0] ?? ''))]
      .slice(0, maxVipsTold)
      .sort(),
  }
}

function writtenIn({ vips = [], evips = [] }: Record<string, unknown>): readonly string[] {
  return [...(vips as string[]), ...(evips as string[])]
}

/** Each VIP of the dump is one of the product's, on that device, and the other way round. */
function assertSameDevices(vips: readonly Vip[], data: Record<string, unknown>): void {
  const places = writtenIn(data).map((text) => {
    const vip = vipOfDump(text)
    assert.ok(vip?.on.kind === 'named', text)
    return { address: vip.address, device: vip.on.device }
  })
  const told = JSON.stringify({ vips, places }, null, 1)
  for (const place of places)
    assert.ok(
      vips.some((vip) => deviceOfVip(vip, place) !== null),
      told,
    )
  for (const vip of vips)
    assert.ok(
      places.some((place) => deviceOfVip(vip, place) !== null),
      told,
    )
}

describe('the product reads keepalived.conf as the running keepalived does', () => {
  let keepalived: { readonly program: string; readonly dumpSignal: number }
  before(function () {
    if (process.getuid?.() !== 0) skipAloud(this, 'network namespaces need root')
    programOrSkip(this, 'unshare')
    const program = programOrSkip(this, 'keepalived')
    keepalived = {
      program,
      dumpSignal: Number(execFileSync(program, ['--signum=JSON'], { encoding: 'utf8' })),
    }
  })

  /** @returns whether keepalived runs this configuration, so that there was something to compare */
  async function compare({ files, configId }: Omit<Shape, 'what'>): Promise<boolean> {
    const folder = new ConfigurationFolder(files)
    try {
      const { dump, log } = await askKeepalived(folder, { ...keepalived, configId })
      if (dump === null) return false
      const told = `${log}\n${JSON.stringify(files, null, 1)}`
      const { profiles, vips, warnings } = parseKeepalivedConf(
        folder.conf,
        configId === undefined ? {} : { configId },
      )
      const read = Object.fromEntries(profiles.map((profile) => [profile.instance, ofProduct(profile)]))
      const unprotected = warnings.filter((text) => text.includes('is NOT protected')).join('\n')
      const runs = Object.fromEntries(
        dump
          .filter(({ iname }) => !unprotected.includes(`"${String(iname).slice(0, 80)}"`))
          .map((data) => [String(data.iname), ofDump(data)]),
      )
      assert.deepEqual(read, runs, told)
      for (const data of dump)
        if (String(data.iname) in runs) assertSameDevices(vips.get(String(data.iname)) ?? [], data)
      return true
    } finally {
      folder.remove()
    }
  }

  for (const { what, ...shape } of shapes)
    it(what, async () => {
      assert.ok(await compare(shape), 'keepalived does not run this configuration')
    })

  it('and configurations by chance', async function () {
    const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000)
    console.log(`    TEST_SEED=${seed}`)
    const stories = storiesFrom(40)
    this.timeout(60_000 + stories * 2000)
    let compared = 0
    for (let story = 0; story < stories; story++)
      try {
        if (await compare(anyShape(seed + story))) compared += 1
      } catch (cause) {
        throw new Error(`with TEST_SEED=${seed + story} the product and keepalived differ`, { cause })
      }
    assert.ok(compared > 0, 'keepalived ran none of them')
  })
})
