/** The agent of one node, assembled: keepalived on one side, the voters on the other, the guards in between. */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Credentials } from '../shared/identity/credentials.ts'
import { KeptPlan } from './runtime/kept-plan.ts'
import { messageOf } from '../shared/error-message.ts'
import type { Echo } from '../shared/host/icmp.ts'
import type { Identity } from '../shared/identity/identity.ts'
import type { Log } from '../shared/host/log.ts'
import { type VoterName, protocolVersion, witness } from '../shared/protocol/names.ts'
import type { Answer, Beat, Hello } from '../shared/protocol/messages.ts'
import type { Ballot } from '../shared/core/vote/voter.ts'
import type { Member, Plan, Profile } from '../shared/protocol/plan.ts'
import { secureContextOf } from '../shared/network/secure-server.ts'
import type { ServiceManager } from '../shared/host/service-manager.ts'
import { assertTiming, defaultTiming } from '../shared/core/timing.ts'
import type { PeerNames } from './core/peer-names.ts'
import { AgentStore } from './runtime/store.ts'
import { AnnouncementQueue } from './fence/announcement-queue.ts'
import { Announcer, findAnnounceCommand } from './fence/announcer.ts'
import { BarFiles } from './fence/bar-file.ts'
import { writeCheckSettings } from './check/settings.ts'
import { CheckStamp } from './check/stamp.ts'
import type { AgentConfig } from './config.ts'
import { rehearseFence } from './fence/rehearsal.ts'
import { FenceRungs } from './fence/rungs.ts'
import { GatewayPing } from './keepalived/gateway-ping.ts'
import { parseKeepalivedConf } from './keepalived-conf/profiles.ts'
import { staticAddressesAmong } from './keepalived-conf/static-addresses.ts'
import { readProcessKeywords } from './keepalived-conf/process-keywords.ts'
import { configurationDrift } from './keepalived/configuration-drift.ts'
import { findOrigin } from './keepalived/address-origin.ts'
import { KeepalivedDump, type InstanceSnapshot } from './keepalived/dump.ts'
import { KeepalivedObserver } from './keepalived/observer.ts'
import { KeepalivedProcesses } from './keepalived/process.ts'
import { type KeepalivedPlaces, keepalivedPlaces } from './keepalived/places.ts'
import { type Reading, readingOf, runningOptions } from './keepalived/running-options.ts'
import { glanceAtAddresses, listAddresses } from './keepalived/kernel-addresses.ts'
import { takeLeaveRequest, writeLeaveAnswer, type LeaveOutcome } from './commands/leave/request.ts'
import { writeLeftVote } from './check/left-vote-file.ts'
import { NodeRuntime, type RuntimeOutlets } from './runtime/runtime.ts'
import { NotifyFifo } from './keepalived/notify-fifo.ts'
import { PeerListener } from './voters/peer-listener.ts'
import { renewCredentials } from './voters/renewal.ts'
import { writePermit } from './check/permit-file.ts'
import { RereadProfiles, type ReadInstances } from './keepalived-conf/reread-profiles.ts'
import { assertRunFolder } from '../shared/disk/run-folder.ts'
import { Reporter } from './runtime/reporter.ts'
import { authProof, provesSame } from './voters/auth-proof.ts'
import { refusalOfPeer, refusalOfWitness } from './voters/identity.ts'
import { VoterLink, type VoterLinkOptions } from './voters/link.ts'

export interface AgentSurroundings {
  readonly log: Log
  readonly credentials: Credentials
  /** A unique name for this start of the agent. */
  readonly newIncarnation: () => string
  readonly bootId: string
  readonly software: string
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** Between 0 and 1, new at each call. */
  readonly jitter: () => number
  readonly echo: (address: string) => Promise<Echo>
  readonly service: ServiceManager
}

/**
 * Only every fifth look reads the kernel's addresses, because they cost more than the rest of a look, and keepalived
 * reports its own changes at once.
 */
const looksPerGlance = 5
/** keepalived.conf may include other files, so it is read again as a whole, which costs about a millisecond. */
const rereadMs = 5000
/** While file and running keepalived differ, keepalived is asked anew: a reload tells nothing of itself. */
const rereadsPerDump = 6
/** One that is missing once says little: a busy host delays it. */
const dumpsInVainToTell = 3
/** Enough for a disk write here, the way to the peer, and a disk write there. `witness-agent leave` waits longer. */
const leavePatienceMs = 3000

export class Agent {
  readonly #config: AgentConfig
  readonly #around: AgentSurroundings
  readonly #store: AgentStore
  readonly #reporter: Reporter
  readonly #observer: KeepalivedObserver
  readonly #dump: KeepalivedDump
  readonly #rungs: FenceRungs
  readonly #bars: BarFiles
  #fifo: NotifyFifo | null = null
  #announcer: Announcer | null = null
  readonly #announcements = new AnnouncementQueue()
  #listener: PeerListener | null = null
  #gateway: GatewayPing | null = null
  #witnessLink: VoterLink | null = null
  #peerLink: { readonly member: Member; readonly link: VoterLink } | null = null
  #runtime: NodeRuntime | null = null
  #peerNames: PeerNames | null = null
  /** Instances for which the peer has proved another password. */
  #authDiffers: ReadonlySet<string> = new Set()
  #plan: Plan | null = null
  readonly #keptPlan: KeptPlan
  #credentials: Credentials
  #secureContext: SecureContext
  #renews = false
  readonly #profiles: RereadProfiles
  #stamps = new Map<string, CheckStamp>()
  #places: KeepalivedPlaces
  /** Which configuration counts: as agent.yaml says, or as keepalived was started. */
  #reading: Reading
  /** keepalived runs with other settings than the file says, as far as its last dump tells. */
  #drifts = false
  #rereads = 0
  #rereadTimer: NodeJS.Timeout | null = null
  /** Watches the link to the witness until there is a plan, before which no renewal timer runs. */
  #unplannedTimer: NodeJS.Timeout | null = null
  #looks = 0
  #marksFail = false
  /** What the check reads is not on disk as it should be. */
  #checkSettingsDue = false
  #writingCheckSettings = false
  /** Settles when the disk says, for the check, whether the vote of the instance is delegated. */
  readonly #checkTold = new Map<string, Promise<void>>()
  /** Instances that are armed, which the disk does not say yet. */
  readonly #unwrittenArms = new Set<string>()

  /**
   * @throws KeepalivedConfError, RunFolderError, NotifyFifoError, PeerListenerError: each says what to do.
   */
  static async start(config: AgentConfig, around: AgentSurroundings): Promise<Agent> {
    assertRunFolder(config.runDir)
    const { reading } = readingOf(config.keepalived, runningOptions(placesOf(config, config.keepalived)))
    const { warnings, fifoReaders, ...read } = parseKeepalivedConf(reading.config, {
      runDir: config.runDir,
      ...configIdOf(reading),
    })
    const store = await AgentStore.open({
      stateDir: config.stateDir,
      runDir: config.runDir,
      bootId: around.bootId,
      nowMs: around.nowMs,
    })
    const agent = new Agent(config, around, { store, read, reading })
    await agent.#open(warnings.filter((text) => !fifoReaders.includes(text)))
    agent.#tellFifoReaders(fifoReaders)
    return agent
  }

  private constructor(
    config: AgentConfig,
    around: AgentSurroundings,
    found: { readonly store: AgentStore; readonly read: ReadInstances; readonly reading: Reading },
  ) {
    const { program, dumpFile, statsFile } = config.keepalived
    const { nowMs } = around
    this.#config = config
    this.#around = around
    this.#store = found.store
    this.#credentials = around.credentials
    this.#secureContext = createSecureContext(secureContextOf(around.credentials))
    this.#profiles = new RereadProfiles(found.read)
    this.#reporter = new Reporter(around.log, (tell) => this.#witnessLink?.tell(tell) === true, nowMs)
    this.#keptPlan = new KeptPlan(this.#store, (cause) =>
      this.#reporter.problem('plan-not-kept', messageOf(cause)),
    )
    this.#dump = new KeepalivedDump({ program, dumpFile, statsFile }, nowMs)
    this.#rungs = new FenceRungs({ ...config.keepalived, places: () => this.#places }, pauseMs)
    this.#bars = new BarFiles(config.runDir)
    this.#reading = found.reading
    this.#places = placesOf(config, found.reading)
    const processes = new KeepalivedProcesses(() => this.#places)
    this.#observer = new KeepalivedObserver(
      {
        lookAtProcess: () => processes.look(),
        glance: glanceAtAddresses,
        list: listAddresses,
        dump: (parentPid) => this.#dump.take(parentPid),
        nowMs,
        pauseMs,
      },
      {
        observed: (instance, observation) =>
          this.#runtime?.feed(instance, { type: 'observed', ...observation }),
        dumped: (snapshots) => {
          this.#reporter.lastingProblem('dump-missing', null)
          this.#tellDrift(snapshots)
        },
        undumped: (asked) => void this.#tellUndumped(asked),
        rival: (instance) => this.#runtime?.feed(instance, { type: 'rival-advert' }),
        lettingGo: (instance) => this.#runtime?.feed(instance, { type: 'letting-go' }),
        priority: (instance, priority) => this.#runtime?.feed(instance, { type: 'priority', priority }),
        problem: (what, text) => {
          this.#reporter.problem(what, text)
          if (what === 'unknown-instance') this.reread()
        },
      },
    )
  }

  /** Reads keepalived.conf again. If it cannot be read, everything stays as it is. */
  reread(): void {
    this.#writeArms()
    this.#noteRunningOptions()
    const { config } = this.#reading
    let read: ReadInstances
    try {
      const { runDir } = this.#config
      const { fifoReaders, ...found } = parseKeepalivedConf(config, { runDir, ...configIdOf(this.#reading) })
      this.#tellFifoReaders(fifoReaders)
      read = found
    } catch (cause) {
      this.#reporter.lastingProblem(
        'keepalived-conf',
        `${messageOf(cause)} (the agent continues with the configuration that it read before)`,
      )
      return
    }
    this.#reporter.lastingProblem('keepalived-conf', null)
    this.#places = placesOf(this.#config, this.#reading)
    if (!this.#profiles.take(read)) return
    this.#reporter.tell({
      instance: null,
      event: 'keepalived-conf-changed',
      level: 'info',
      text: `${config} changed: ${describeProfiles(read.profiles)}`,
    })
    // Before the guards, so that the voters know every instance by the time of the first heartbeat that has it.
    this.#witnessLink?.helloAgain()
    this.#peerLink?.link.helloAgain()
    this.#takeProfiles()
  }

  #tellFifoReaders(readers: readonly string[]): void {
    this.#reporter.lastingProblem('fifo-shared', readers.length === 0 ? null : readers.join('; '))
  }

  /** keepalived may have been started with other options since. */
  #noteRunningOptions(): void {
    const running = runningOptions(this.#places)
    const { reading, contradictions } = readingOf(this.#config.keepalived, running, this.#reading)
    this.#reading = reading
    const text = contradictions.length === 0 ? null : contradictions.join('; ')
    this.#reporter.lastingProblem(
      'keepalived-options-differ',
      text === null
        ? null
        : `${text}. Correct agent.yaml or the options of keepalived, then restart the agent`,
    )
    this.#rereads += 1
    if (this.#drifts && this.#rereads % rereadsPerDump === 0) this.#observer.askAgain()
  }

  /** keepalived's own word on its configuration is laid beside the file at each dump. */
  #tellDrift(snapshots: readonly InstanceSnapshot[]): void {
    let drift = this.#driftOf(snapshots)
    // After a reload the file is newer than its last reading.
    if (drift.length > 0) {
      this.reread()
      drift = this.#driftOf(snapshots)
    }
    this.#drifts = drift.length > 0
    if (!this.#drifts) return this.#reporter.lastingProblem('keepalived-runs-otherwise', null)
    this.#reporter.lastingProblem(
      'keepalived-runs-otherwise',
      `the running keepalived and ${this.#reading.config} differ: ${drift.slice(0, 4).join('; ')}${drift.length > 4 ? `; and ${drift.length - 4} more` : ''}. Reload keepalived if the file is right; if it still differs, check what "keepalived -t" says, and that keepalived.config and keepalived.configId in agent.yaml are what keepalived is started with (-f and -i)`,
    )
  }

  #driftOf(snapshots: readonly InstanceSnapshot[]): readonly string[] {
    const configured = this.#profiles.current.map((profile) => ({
      profile,
      vips: this.#profiles.vips.get(profile.instance) ?? [],
    }))
    return configurationDrift(configured, snapshots)
  }

  async #tellUndumped({
    times,
    parentPid,
  }: {
    readonly times: number
    readonly parentPid: number
  }): Promise<void> {
    if (times < dumpsInVainToTell) return
    const why = await this.#dump.whyInVain(parentPid)
    this.#reporter.lastingProblem(
      'dump-missing',
      `keepalived was asked ${times} times for its dump, and none came: ${why}. Without it the agent learns the state after its own start and after a reload of keepalived late, and cannot count adverts`,
    )
  }

  /** Takes a request of `witness-agent leave`, if there is one. */
  #takeLeaveRequest(): void {
    const { nowMs, bootId } = this.#around
    const { runDir } = this.#config
    const id = takeLeaveRequest(runDir, { bootId, atMs: nowMs() })
    if (id === null) return
    this.#leave()
      .catch((cause: unknown): LeaveOutcome => ({ kind: 'failed', text: messageOf(cause) }))
      .then((outcome) => {
        // If the answer cannot be written, the waiting command gives up and reports that to the operator.
        writeLeaveAnswer(runDir, { id, outcome })
      })
      .catch((cause: unknown) => this.#reporter.problem('leave-not-answered', messageOf(cause)))
  }

  /** All or nothing: if the other node does not count every vote in time, this node stays. */
  async #leave(): Promise<LeaveOutcome> {
    const runtime = this.#runtime
    if (runtime === null)
      return { kind: 'refused', text: 'the agent has not received its plan from the witness yet' }
    await Promise.all(runtime.instances.map((instance) => this.#observer.observe(instance)))
    const hindrance = runtime.leaveHindrance()
    if (hindrance !== null) return { kind: 'refused', text: hindrance }
    const impatience = new Promise<void>((resolve) => setTimeout(resolve, leavePatienceMs))
    await Promise.race([runtime.leave(), impatience])
    const votes = runtime.votesLeft()
    if (votes !== null) return { kind: 'left', votes }
    runtime.feedAll({ type: 'stay' })
    return {
      kind: 'failed',
      text: `the other node did not confirm within ${leavePatienceMs / 1000} s that the vote is on its disk`,
    }
  }

  /** Ends connections and timers; bar and permit files stay as they are, so that a restart changes nothing. */
  close(): void {
    if (this.#rereadTimer !== null) clearInterval(this.#rereadTimer)
    this.#endUnplanned()
    this.#runtime?.close()
    this.#keptPlan.close()
    this.#gateway?.close()
    this.#announcer?.close()
    this.#announcements.close()
    this.#witnessLink?.close()
    this.#peerLink?.link.close()
    this.#listener?.close()
    this.#fifo?.close()
  }

  /**
   * A full disk must not keep the agent of a healthy node from starting. The check continues with its previous
   * settings.
   */
  async #writeCheckSettings(): Promise<void> {
    this.#checkSettingsDue = true
    if (this.#writingCheckSettings) return
    this.#writingCheckSettings = true
    try {
      while (this.#checkSettingsDue) {
        this.#checkSettingsDue = false
        const armed = this.#profiles.current
          .map(({ instance }) => instance)
          .filter((instance) => this.#store.armed(instance))
        await this.#store.noteEvidence()
        await writeCheckSettings(this.#config.stateDir, { ...this.#config, armed })
      }
    } catch (cause) {
      this.#checkSettingsDue = true
      this.#reporter.problem(
        'check-settings',
        `check.conf or state.json in ${this.#config.stateDir} cannot be written (${messageOf(cause)}); free some disk space, then restart the agent`,
      )
    } finally {
      this.#writingCheckSettings = false
    }
  }

  async #open(warnings: readonly string[]): Promise<void> {
    const { config, around } = { config: this.#config, around: this.#around }
    const problem = (what: string, text: string): void => this.#reporter.problem(what, text)
    rehearseFence(config.runDir, around.nowMs())
    // The observer knows its instances before the first line comes.
    this.#takeProfiles()
    this.#fifo = await NotifyFifo.open(`${config.runDir}/notify.fifo`, {
      event: (event) => this.#observer.take(event),
      problem: (text) => problem('notify-fifo', text),
    })
    this.#announcer = new Announcer({
      glance: glanceAtAddresses,
      command: await findAnnounceCommand(),
      send: (announcements) => this.#announcements.add(announcements),
      monotonicMs: around.monotonicMs,
      problem,
    })
    this.#listener = await PeerListener.listen({
      cluster: config.cluster,
      node: config.node,
      listen: config.listen,
      credentials: around.credentials,
      isKnownAddress: (address) => this.#plan?.nodes.some((node) => node.address === address) === true,
      nowMs: around.nowMs,
      monotonicMs: around.monotonicMs,
      timing: () => this.#plan?.timing ?? defaultTiming,
      promised: () => this.#runtime?.promisesPeer() === true,
      profiles: () => this.#profiles.current,
      onNames: (names, peer) => {
        this.#takePeerNames(names)
        this.#compareAuthentication(names, peer)
      },
      onBeat: (beat) => this.#takePeerBeat(beat),
      onRefused: (reason, text) =>
        problem(
          `peer-refused-${reason}`,
          `the listener for the peer refused a connection or a message: ${text}`,
        ),
    })
    this.#logStart(warnings)
    this.#witnessLink = this.#link({
      voter: witness,
      url: config.witness,
      refusalOf: refusalOfWitness,
    })
    this.#unplannedTimer = setInterval(() => this.#waitForPlan(), defaultTiming.renewMs)
    if (this.#store.plan !== null) this.#takePlan(this.#store.plan, 'kept')
    this.#rereadTimer = setInterval(() => this.reread(), rereadMs)
    if (config.gateway !== null)
      this.#gateway = new GatewayPing({
        address: config.gateway,
        echo: around.echo,
        onChange: (gateway) => this.#runtime?.feedAll({ type: 'gateway', gateway }),
        problem,
      })
  }

  #logStart(warnings: readonly string[]): void {
    const { log, software } = this.#around
    const { cluster, node, mode } = this.#config
    log.info(
      'start',
      `${software} starts for node ${node} of cluster ${cluster} (mode ${mode}): ${describeProfiles(this.#profiles.current)}`,
    )
    for (const warning of warnings)
      this.#reporter.tell({ instance: null, event: 'keepalived-conf', level: 'warning', text: warning })
    const { found } = this.#store
    if (found.kind === 'torn')
      this.#reporter.tell({
        instance: null,
        event: 'state-lost',
        level: 'warning',
        text: `the state file cannot be trusted (${found.reason}) and ${found.keptAs === null ? 'could not be moved aside' : `was moved to ${found.keptAs}`}; this node makes no new promise until its earlier promises have expired`,
      })
  }

  #takeProfiles(): void {
    const { moved, written } = this.#store.identify(this.#profiles.current)
    written.catch((cause: unknown) => this.#reporter.problem('names-not-kept', messageOf(cause)))
    const { runDir } = this.#config
    this.#stamps = new Map(
      this.#profiles.current.map(({ instance }) => [
        instance,
        this.#stamps.get(instance) ?? new CheckStamp(runDir, instance),
      ]),
    )
    this.#tellCheckOfVotes()
    void this.#writeCheckSettings()
    this.#runtime?.setProfiles(this.#profiles.current, moved)
    this.#observer.watch(this.#profiles.vips)
  }

  #takePlan(plan: Plan, from: 'kept' | 'witness'): void {
    if (JSON.stringify(plan) === JSON.stringify(this.#plan)) return
    if (plan.cluster !== this.#config.cluster) {
      this.#reporter.problem(
        'foreign-plan',
        `the witness sent a plan for cluster "${plan.cluster}", but this agent belongs to cluster "${this.#config.cluster}"; the plan is ignored`,
      )
      return
    }
    try {
      assertTiming(plan.timing)
    } catch (cause) {
      this.#reporter.problem(
        'plan-refused',
        `the plan from the witness is invalid, so the previous one stays in use: ${messageOf(cause)}`,
      )
      return
    }
    this.#plan = plan
    const peer = plan.nodes.find(({ name }) => name !== this.#config.node) ?? null
    this.#around.log.info(
      'plan',
      `plan (${from === 'witness' ? 'from the witness' : 'from disk'}): the peer is ${peer === null ? 'not known yet' : `${peer.name} at ${peer.address}:${peer.port}`}`,
    )
    if (from === 'witness') this.#keptPlan.keep(plan)
    else this.#keptPlan.found(plan)
    this.#listener?.setPeer(peer)
    this.#runGuards({ peer: peer?.name ?? null, timing: plan.timing })
    this.#linkPeer(peer)
  }

  #runGuards(plan: { readonly peer: string | null; readonly timing: Plan['timing'] }): void {
    if (this.#runtime !== null) {
      this.#runtime.setPlan(plan)
      return
    }
    this.#endUnplanned()
    const { node, mode, fence, alone, rejoin, keepalived } = this.#config
    this.#runtime = new NodeRuntime(
      {
        node,
        policy: { mode, fence, alone, rejoin, hasLastResort: keepalived.lastResortCommand !== null },
        nowMs: this.#around.nowMs,
        monotonicMs: this.#around.monotonicMs,
        recovered: (instance) => this.#store.recovered(instance),
        memory: (instance) => this.#store.memory(instance),
        standing: (instance) => this.#store.standing(instance),
        armed: (instance) => this.#store.armed(instance),
        lasting: () => this.#reporter.lasting,
        outlets: this.#outlets(),
        onTurn: (turn) => this.#around.service.turned(turn),
      },
      plan,
    )
    this.#runtime.setProfiles(this.#profiles.current)
    for (const { instance } of this.#profiles.current) void this.#observer.observe(instance)
  }

  #linkPeer(peer: Member | null): void {
    if (JSON.stringify(peer) === JSON.stringify(this.#peerLink?.member ?? null)) return
    this.#peerLink?.link.close()
    this.#peerLink = null
    if (peer === null) return
    const host = peer.address.includes(':') ? `[${peer.address}]` : peer.address
    const { cluster } = this.#config
    const refusalOf = (identity: Identity | null): string | null => refusalOfPeer({ cluster, peer }, identity)
    const link = this.#link({ voter: peer.name, url: `https://${host}:${peer.port}`, refusalOf })
    this.#peerLink = { member: peer, link }
  }

  #link(to: Pick<VoterLinkOptions, 'voter' | 'url' | 'refusalOf'>): VoterLink {
    const { voter, url } = to
    const { log, newIncarnation, nowMs, monotonicMs, jitter } = this.#around
    return new VoterLink({
      ...to,
      secureContext: () => this.#secureContext,
      hello: (incarnation) => this.#hello(incarnation, voter),
      newIncarnation,
      renewMs: () => (this.#plan?.timing ?? defaultTiming).renewMs,
      nowMs,
      monotonicMs,
      jitter,
      on: {
        up: (plan) => {
          log.info('voter-up', `${voter} (${url}) is connected`)
          if (voter === witness) {
            if (plan !== null) this.#takePlan(plan, 'witness')
            this.#reporter.flush()
          }
          this.#runtime?.renew()
        },
        down: (reason) => log.warn('voter-down', `${voter} (${url}) is not connected: ${reason}`),
        answer: ({ sentAtMs, answer }) => this.#takeAnswer(voter, sentAtMs, answer),
        order: (order) => this.#runtime?.feed(order.instance, { type: 'order', order }),
        plan: (plan) => {
          if (voter === witness) this.#takePlan(plan, 'witness')
        },
        renew: () => {
          if (voter === witness) void this.#renewCredentials()
        },
      },
    })
  }

  /**
   * Connects to the witness again at once, because the first hello with the new certificate invalidates the old one,
   * at the witness and at the peer.
   */
  async #renewCredentials(): Promise<void> {
    if (this.#renews) return
    this.#renews = true
    const { cluster, node, witness: url, stateDir } = this.#config
    try {
      const current = this.#credentials
      this.#credentials = await renewCredentials({ cluster, node, witness: url, stateDir, current })
      this.#secureContext = createSecureContext(secureContextOf(this.#credentials))
      this.#listener?.renewCredentials(this.#credentials)
      this.#around.log.info('certificate-renewed', 'this node has a new key and certificate')
      this.#witnessLink?.dialAnew()
    } catch (cause) {
      this.#reporter.problem(
        'certificate-not-renewed',
        `this node could not get a new certificate (${messageOf(cause)}); the current one remains valid, and the witness will ask again`,
      )
    } finally {
      this.#renews = false
    }
  }

  #takeAnswer(voter: VoterName, sentAtMs: number, { verdicts }: Answer): void {
    this.#runtime?.feedTogether(
      verdicts.map((verdict) => ({
        instance: verdict.instance,
        event: { type: 'answer', from: voter, sentAtMs, verdict },
      })),
    )
  }

  #takePeerNames(names: PeerNames): void {
    this.#peerNames = names
    for (const [theirs, ours] of names.ambiguous)
      this.#reporter.problem(
        'instance-unmatched',
        `${theirs} of the other node shares VIPs with ${ours.join(' and ')} of this node, and it cannot be told which one it is, so the two nodes do not vote for each other there; give both nodes the same virtual_router_id and the same virtual_ipaddress in each vrrp_instance`,
      )
    this.#runtime?.feedTogether(
      this.#runtime.instances.map((instance) => ({
        instance,
        event: { type: 'peer-match', isMatched: names.isClear(instance) },
      })),
    )
  }

  #compareAuthentication(
    { toOurs }: PeerNames,
    { incarnation, profiles }: { readonly incarnation: string; readonly profiles: readonly Profile[] },
  ): void {
    const differ = profiles.flatMap(({ instance, authProof: proof }) => {
      const ours = toOurs(instance)
      const password = ours === null ? undefined : this.#profiles.passwords.get(ours)
      // Where only one of them has a password, the witness sees that itself.
      if (ours === null || proof === undefined || password === undefined) return []
      return provesSame(proof, password, incarnation) ? [] : [ours]
    })
    const isSame =
      differ.length === this.#authDiffers.size && differ.every((each) => this.#authDiffers.has(each))
    this.#authDiffers = new Set(differ)
    if (!isSame) this.#witnessLink?.helloAgain()
  }

  #takePeerBeat({ seq, leaseMs, echoMs, reports }: Beat): void {
    const reported = new Set(reports.map(({ instance }) => instance))
    // Of an instance that cannot be told from another, nothing that the peer reports comes through.
    const others = (this.#runtime?.instances ?? []).filter(
      (instance) => !reported.has(instance) && this.#peerNames?.isClear(instance) !== false,
    )
    this.#runtime?.feedTogether([
      ...reports.map((report) => ({
        instance: report.instance,
        event: { type: 'peer-report' as const, beat: seq, report, leaseMs, echoMs },
      })),
      ...others.map((instance) => ({ instance, event: { type: 'peer-without' as const } })),
    ])
  }

  /**
   * Writes for the check which votes are delegated according to the state file. Without an agent the check depends on
   * that.
   */
  #tellCheckOfVotes(): void {
    for (const { instance } of this.#profiles.current) {
      const found = this.#store.recovered(instance)
      if (found.kind === 'valid') this.#tellCheck(instance, found.ballot?.standing === true)
    }
  }

  #tellCheck(instance: string, left: boolean): void {
    const before = this.#checkTold.get(instance) ?? Promise.resolve()
    const written = before
      .catch(() => undefined)
      .then(() => writeLeftVote(this.#config.stateDir, instance, left))
    this.#checkTold.set(instance, written)
    written.catch((cause: unknown) =>
      this.#reporter.problem(
        'left-vote-file',
        `the file that tells the check whether the vote on ${instance} was delegated to the peer cannot be written: ${messageOf(cause)}`,
      ),
    )
  }

  /** The check must know first that a vote is delegated: it acts if this agent dies. */
  async #record(instance: string, ballot: Ballot): Promise<void> {
    if (ballot.standing === true) await this.#checkTold.get(instance)
    await this.#store.record(instance, ballot)
  }

  #outlets(): RuntimeOutlets {
    const { runDir } = this.#config
    const { bootId } = this.#around
    return {
      bar: (instance, on) => this.#bars.write(instance, on),
      permit: (instance, permit) => writePermit({ runDir, instance, bootId }, permit),
      record: (instance, ballot) => this.#record(instance, ballot),
      mark: (instance, mark) => this.#noteMark(this.#store.mark(instance, mark)),
      answerPeer: (beat, verdict) => this.#listener?.answer(beat, verdict),
      beat: (beat) => {
        this.#witnessLink?.beat({ ...beat, planKept: this.#keptPlan.mark })
        this.#peerLink?.link.beat(beat)
      },
      carryOut: (instance, { rung, spares }) => {
        switch (rung) {
          case 'stop':
            return this.#rungs.stop()
          case 'kill':
            return this.#rungs.kill(this.#observer.vipsOf(instance), { spares: spares === true })
          case 'last-resort':
            return this.#rungs.lastResort()
        }
      },
      start: () => this.#rungs.start(),
      observe: (instance) => this.#observer.observe(instance),
      announce: (instance) => this.#announcer?.announce(instance, this.#observer.vipsOf(instance)),
      findOrigin: (instance) => {
        const vips = this.#observer.vipsOf(instance)
        return findOrigin(vips, staticAddressesAmong(vips, this.#reading))
      },
      countAdverts: (instance) => this.#observer.adverts(instance),
      remember: (instance, memory) => {
        this.#store.remember(instance, memory).catch((cause: unknown) => {
          this.#reporter.problem('memory-not-kept', messageOf(cause))
        })
      },
      tryDisk: () => this.#store.tryDisk().then(() => null, messageOf),
      keepVote: (instance, kept) => this.#store.keepVote(instance, kept),
      voteLeft: (instance, on) => this.#tellCheck(instance, on),
      rememberFirst: (instance, memory) => this.#store.remember(instance, memory).then(() => null, messageOf),
      look: () => this.#look(),
      arm: (instance) => this.#arm(instance),
      drilled: (drilled) => this.#reporter.drilled(drilled),
      tell: (told) => this.#reporter.tell(told),
    }
  }

  /** Once more every few seconds, until the disk has it. */
  #arm(instance: string): void {
    this.#unwrittenArms.add(instance)
    this.#store.arm(instance).then(
      () => this.#unwrittenArms.delete(instance),
      (cause: unknown) => this.#reporter.problem('arming-not-written', messageOf(cause)),
    )
    void this.#writeCheckSettings()
  }

  #writeArms(): void {
    for (const instance of this.#unwrittenArms) this.#arm(instance)
    if (this.#checkSettingsDue) void this.#writeCheckSettings()
  }

  #noteMark(kept: boolean): void {
    if (kept === !this.#marksFail) return
    this.#marksFail = !kept
    if (!kept)
      this.#reporter.problem(
        'marks-not-kept',
        `the run folder ${this.#config.runDir} cannot be written; after a restart this agent would have to wait for the longest possible promise before it votes`,
      )
  }

  /** Without a plan there is nothing to decide. The links are watched and a leave request is answered. */
  #waitForPlan(): void {
    this.#watchLinks()
    this.#takeLeaveRequest()
    this.#around.service.turned({ atMs: this.#around.nowMs(), everyMs: defaultTiming.renewMs })
  }

  #watchLinks(): void {
    const atMs = this.#around.nowMs()
    this.#witnessLink?.watch(atMs)
    this.#peerLink?.link.watch(atMs)
  }

  #endUnplanned(): void {
    if (this.#unplannedTimer !== null) clearInterval(this.#unplannedTimer)
    this.#unplannedTimer = null
  }

  #look(): void {
    this.#watchLinks()
    this.#takeLeaveRequest()
    this.#fifo?.look()
    this.#mendBars()
    this.#looks += 1
    if (this.#looks % looksPerGlance === 0) this.#observer.look()
    else this.#observer.glimpse()
    for (const [instance, stamp] of this.#stamps)
      if (stamp.look()) this.#runtime?.feed(instance, { type: 'check-seen' })
  }

  #mendBars(): void {
    try {
      for (const instance of this.#bars.mend())
        this.#reporter.problem(
          'bar-changed',
          `somebody removed or changed the bar file of ${instance}, which keeps keepalived from becoming MASTER, and the agent wrote it again. Look for "init_file" in its track_file ("witness-agent setup" names it), and for whoever cleans up ${this.#config.runDir}`,
        )
    } catch (cause) {
      this.#reporter.problem('bar-not-written', messageOf(cause))
    }
  }

  #hello(incarnation: string, to: VoterName): Hello {
    const { bootId, software } = this.#around
    const { cluster, node, advertise, listen, mode, gateway } = this.#config
    const profiles = this.#profiles.current.map((profile): Profile => {
      const password = this.#profiles.passwords.get(profile.instance)
      if (to === witness)
        return this.#authDiffers.has(profile.instance) ? { ...profile, authDiffers: true } : profile
      return password === undefined ? profile : { ...profile, authProof: authProof(password, incarnation) }
    })
    return {
      type: 'hello',
      protocol: protocolVersion,
      cluster,
      node,
      incarnation,
      bootId,
      software,
      listener: { address: advertise, port: this.#listener?.port ?? listen.port },
      mode,
      profiles,
      gateway,
    }
  }
}

function placesOf({ keepalived }: AgentConfig, { config, configId }: Reading): KeepalivedPlaces {
  return keepalivedPlaces({ ...keepalived, config }, readProcessKeywords(config, configId))
}

function configIdOf({ configId }: Reading): { readonly configId?: string } {
  return configId === null ? {} : { configId }
}

function pauseMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

function describeProfiles(profiles: readonly Profile[]): string {
  if (profiles.length === 0) return 'no vrrp_instance'
  return profiles
    .map(({ instance, priority, vips }) => `${instance} (priority ${priority}; ${vips.join(', ')})`)
    .join(', ')
}
