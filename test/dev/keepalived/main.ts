/**
 * The stand-in for keepalived on one node: the simulator's model of keepalived 2.2.7, run in real time, with the outside
 * that the agent knows: process and pid file, notify FIFO, track_file, check script, dump by signal, and the addresses
 * that `ip` shows. Adverts go to the other node's stand-in by UDP. It reads keepalived.conf as the agent does.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { barPath } from '../../../agent/fence/bar-file.ts'
import { parseKeepalivedConf } from '../../../agent/keepalived-conf/profiles.ts'
import { replaceFile } from '../../../shared/disk/run-folder.ts'
import { createLog } from '../../../shared/host/log.ts'
import { KeepalivedModel, measuredTiming, type CheckEnd } from '../../sim/models/keepalived-model.ts'
import { Chance } from '../../sim/world/chance.ts'
import { Timeline } from '../../sim/world/timeline.ts'
import { addressListOf } from './addresses.ts'

const settingsSchema = z.strictObject({
  config: z.string(),
  runDir: z.string(),
  pidFile: z.string(),
  dumpFile: z.string(),
  addressFile: z.string(),
  /** No advert passes while it is there. */
  cutFile: z.string(),
  check: z.array(z.string()),
  own: z.strictObject({ address: z.string(), port: z.number() }),
  peer: z.strictObject({ address: z.string(), port: z.number() }),
})
export type KeepalivedSettings = z.infer<typeof settingsSchema>

const advertSchema = z.strictObject({ priority: z.number(), address: z.number() })
/** How late a timer may be. */
const grainMs = 10
/** keepalived's vrrp_script, as the documents tell an admin to write it. */
const check = { intervalMs: 1000, timeoutMs: 1000, fall: 1, rise: 1 }
/** The order in which keepalived numbers them in its dump. */
const dumpStates = ['INIT', 'BACKUP', 'MASTER', 'FAULT']

// So the agent knows keepalived's process: by /proc/PID/comm.
process.title = 'keepalived'
const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? ''))
const { runDir, pidFile, dumpFile, addressFile, cutFile, own, peer } = settings
const [profile] = parseKeepalivedConf(settings.config).profiles
if (profile === undefined) throw new Error(`${settings.config} has no vrrp_instance`)
const { instance, priority, vips } = profile
const log = createLog('keepalived', 'info')

const timeline = new Timeline()
const startedAtMs = performance.now()
const chance = new Chance(process.pid)
const fifo = openFifo(join(runDir, 'notify.fifo'))
const socket = createSocket('udp4')
const model = new KeepalivedModel(
  timeline,
  chance,
  {
    priority,
    advertIntMs: profile.advertIntMs,
    nopreempt: profile.nopreempt,
    initial: 'BACKUP',
    address: Number(own.address.split('.').at(-1)),
    downTimerAdverts: profile.downTimerAdverts ?? 3,
    tellsPriority: false,
    check,
    app: null,
  },
  {
    advert: (advert) => {
      if (!existsSync(cutFile)) socket.send(JSON.stringify(advert), peer.port, peer.address)
    },
    vip: (held) => replaceFile(addressFile, addressListOf(held ? vips : [])),
    garp: () => undefined,
    fifo: (line, running) => {
      writeFifo(`INSTANCE "${instance}" ${line} ${running}\n`)
      log.info('vrrp', `${instance}: ${line}`)
    },
    runCheck,
    readTrackFile,
    exited: () => {
      // In this order, because an agent that finds no pid file while the FIFO is open warns of a wrong path.
      closeSync(fifo)
      setTimeout(leave, grainMs)
    },
  },
  // Events of the real world have had their latency; the rest takes as long as with the real one.
  { ...measuredTiming(chance), latencyMs: () => 0 },
)

/** Lets happen what is due, then what has come from outside, and what that makes due. */
function turn(happens: () => void = () => undefined): void {
  const catchUp = (): void => {
    while (timeline.step(performance.now() - startedAtMs));
  }
  catchUp()
  happens()
  catchUp()
}

function readTrackFile(): boolean {
  try {
    return Number(readFileSync(barPath(runDir, instance), 'utf8').trim()) !== 0
  } catch {
    return false
  }
}

function runCheck(done: (end: CheckEnd) => void): void {
  const [program = '', ...args] = settings.check
  const child = spawn(program, args, { stdio: 'ignore', timeout: check.timeoutMs })
  child.once('error', () => turn(() => done(127)))
  child.once('exit', (code) => turn(() => done(code ?? 'killed')))
}

/** keepalived makes it where it is missing, and opens it so that a missing reader never blocks. */
function openFifo(path: string): number {
  if (!existsSync(path)) spawnSync('mkfifo', ['--mode=0600', path])
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
}

function writeFifo(line: string): void {
  try {
    writeSync(fifo, line)
  } catch {
    // Nobody has read it for so long that it is full: keepalived drops the line, too.
  }
}

function leave(): void {
  rmSync(pidFile, { force: true })
  log.flush()
  process.exit(0)
}

function dump(): void {
  const state = Math.max(0, dumpStates.indexOf(model.state))
  const stats = { advert_rcvd: model.advertsReceived }
  writeFileSync(dumpFile, JSON.stringify([{ data: { iname: instance, state }, stats }]))
}

socket.on('message', (message) => {
  const advert = advertSchema.safeParse(JSON.parse(message.toString()))
  if (advert.success) turn(() => model.receive(advert.data))
})
watch(runDir, (_event, file) => {
  if (file === basename(barPath(runDir, instance))) turn(() => model.trackFile(readTrackFile()))
})
process.on('SIGTERM', () => turn(() => model.terminate()))
process.on('SIGUSR2', dump)
socket.bind(own.port, own.address, () => {
  turn(() => model.start(readFileSync(addressFile, 'utf8').includes('inet')))
  setInterval(turn, grainMs)
  // The agent may send signals from now on.
  writeFileSync(pidFile, `${process.pid}\n`)
  log.info('started', `${instance} with priority ${priority}`)
})
