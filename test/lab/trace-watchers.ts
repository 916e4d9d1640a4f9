/**
 * The observers of a trace: small programs that wait in a read and first of all stamp what they get with the machine's
 * clock, so that a busy recorder does not falsify the times.
 */
import { createInterface } from 'node:readline'
import { type ChildProcess } from 'node:child_process'
import { type TraceNode, type TraceSight, traceNodes, traceSchema } from '../sim/models/keepalived-trace.ts'
import { addressOf, vip } from './address-plan.ts'
import { type NamespaceHost } from './namespace-host.ts'
import { parseMonitorLine } from './vip-observer.ts'

export interface StampedSight {
  readonly atMs: number
  readonly node: TraceNode
  readonly sight: TraceSight
}

export type Tell = (sight: StampedSight) => void

/**
 * The lines of a FIFO, each after its time. The FIFO is open for writing too, so that it does not end when a writer
 * ends.
 */
const fifoProgram = `
use Time::HiRes 'time';
$| = 1;
open my $fifo, '+<', $ARGV[0] or die "$ARGV[0]: $!";
print "ready\\n";
my $rest = '';
while (sysread $fifo, my $text, 4096) {
  my $at = sprintf '%.3f', 1000 * time;
  $rest .= $text;
  print "$at $1\\n" while $rest =~ s/^([^\\n]*)\\n//;
}`

/**
 * What passes through the bridge: VRRP as "advert FROM PRIORITY", ARP that asks for its sender's own address as "garp
 * ADDRESS MAC".
 */
const wireProgram = `
use Socket; use Time::HiRes 'time';
$| = 1;
socket(my $wire, 17, SOCK_RAW, unpack('S', pack('n', 3))) or die "packet socket: $!";
my $index = pack 'a16 i', 'br0', 0;
ioctl $wire, 0x8933, $index or die "br0: $!";
bind $wire, pack('S n i S C C a8', 17, 3, (unpack 'a16 i', $index)[1], 0, 0, 0, '') or die "bind: $!";
print "ready\\n";
while (defined recv $wire, my $frame, 256, 0) {
  my $at = sprintf '%.3f', 1000 * time;
  my $type = unpack 'x12 n', $frame;
  if ($type == 0x0800 and unpack('x23 C', $frame) == 112) {
    my $header = 4 * (15 & unpack 'x14 C', $frame);
    print "$at advert ", inet_ntoa(substr $frame, 26, 4), ' ', unpack("x14 x$header x2 C", $frame), "\\n";
  } elsif ($type == 0x0806 and substr($frame, 28, 4) eq substr($frame, 38, 4)) {
    print "$at garp ", inet_ntoa(substr $frame, 28, 4), ' ', join(':', map { sprintf '%02x', $_ } unpack 'x22 C6', $frame), "\\n";
  }
}`

/** Returns when the program reports that it is in place. */
async function readLines(child: ChildProcess, onLine: (line: string) => void): Promise<void> {
  if (child.stdout === null) throw new Error('the watcher has no output')
  const lines = createInterface(child.stdout)
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('a watcher ended before it was in place')))
    lines.once('line', () => resolve())
  })
  lines.on('line', onLine)
}

const fifoLine = /^(\d+\.\d+) INSTANCE "[^"]*" (\S+) \d+$/

export async function watchFifo(
  host: NamespaceHost,
  options: { node: TraceNode; path: string; tell: Tell },
): Promise<void> {
  await readLines(host.stream('perl', '-e', fifoProgram, options.path), (line) => {
    const [, at = '', word = ''] = fifoLine.exec(line) ?? []
    options.tell({ atMs: Number(at), node: options.node, sight: parseSight(`fifo ${word}`, line) })
  })
}

/** Gratuitous ARP comes in rounds of five within a millisecond; one round counts as one sight. */
const sameRoundMs = 300

export async function watchWire(
  switchHost: NamespaceHost,
  options: { nodeOfMac: ReadonlyMap<string, TraceNode>; tell: Tell },
): Promise<void> {
  const lastGarpMs = new Map<TraceNode, number>()
  await readLines(switchHost.stream('perl', '-e', wireProgram), (line) => {
    const [at = '', kind = '', address = '', detail = ''] = line.split(' ')
    const atMs = Number(at)
    if (kind === 'advert') {
      const node = traceNodes.find((each) => addressOf[each] === address)
      if (node === undefined) throw new Error(`an advert of a stranger: ${line}`)
      options.tell({ atMs, node, sight: parseSight(`advert ${detail}`, line) })
      return
    }
    const node = options.nodeOfMac.get(detail)
    if (address !== vip || node === undefined) return
    if (atMs - (lastGarpMs.get(node) ?? 0) > sameRoundMs) options.tell({ atMs, node, sight: 'garp' })
    lastGarpMs.set(node, atMs)
  })
}

const linkLine = /^\[(\S+)\.(\d{6})\] \d+: eth0\S*: <([^>]*)>/

/** What the kernel announces about the VIP and about the carrier. */
export async function watchKernel(
  host: NamespaceHost,
  options: { node: TraceNode; tell: Tell; onCarrier: (atMs: number, up: boolean) => void },
): Promise<void> {
  const monitor = host.stream('ip', '-ts', 'monitor', 'address', 'link')
  // It does not report when it is in place, so an address on the loopback is added and deleted until it is seen.
  const knocking = setInterval(() => {
    void host.tryRun('sh', '-c', 'ip address add 127.0.0.99/32 dev lo; ip address del 127.0.0.99/32 dev lo')
  }, 50)
  await readLines(monitor, (line) => {
    const change = parseMonitorLine(line, 'eth0')
    if (change !== null)
      options.tell({
        atMs: change.atMs,
        node: options.node,
        sight: change.has ? 'vip added' : 'vip removed',
      })
    const [, second, microseconds, flags] = linkLine.exec(line) ?? []
    if (second !== undefined && microseconds !== undefined && flags !== undefined)
      options.onCarrier(Date.parse(`${second}Z`) + Number(microseconds) / 1000, flags.includes('LOWER_UP'))
  })
  clearInterval(knocking)
}

const sightSchema = traceSchema.shape.seen.element.def.items[2]

function parseSight(text: string, line: string): TraceSight {
  const sight = sightSchema.safeParse(text)
  if (!sight.success) throw new Error(`keepalived wrote a line that traces do not know: ${line}`)
  return sight.data
}
