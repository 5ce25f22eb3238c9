import { runDelivery } from '../../src/delivery/engine.ts';
import type { DeliveryTelemetry } from '../../src/delivery/partition/runner-context.ts';
import { loadStreamDirectory } from '../../src/delivery/partition/stream-directory.ts';
import { check } from '../../src/delivery/stream/accounts.fixture.ts';
import { DEFAULT_RETRY } from '../../src/delivery/stream/retry.ts';
import {
  DEFAULT_SETTINGS,
  type DeliverySettings,
  type Opening,
} from '../../src/delivery/stream/stream-context.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import { createIngest, type Ingest } from '../../src/ingest/ingest.ts';
import { embeddedLeases } from '../../src/leases/embedded.ts';
import type { LeaseTelemetry } from '../../src/leases/nodes.ts';
import { createSharedLeases } from '../../src/leases/shared.ts';
import type { LeaseTiming } from '../../src/leases/timing.ts';
import type { RecordLog } from '../../src/log/log.ts';
import type { PrivacyKeys } from '../../src/privacy/keys.ts';
import { withPrivacy } from '../../src/privacy/opener.ts';
import { type DataStreamDocument, watermarkKey } from '../../src/registry/data-stream.ts';
import { loadOrganisationTree, type OrganisationTree } from '../../src/registry/organisation-tree.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';
import type { Coverage } from './coverage.ts';
import { connect } from './delivering.ts';
import { Link, type Weathers } from './link.ts';
import { Memory, type MemorySizes } from './memory.ts';
import type { Model } from './model.ts';
import type { Moments } from './moments.ts';
import { notifications } from './notifications.ts';
import { privacyKeys } from './privacy.ts';
import type { Receiver } from './receiver.ts';
import { gatheringOf, type Sizes } from './sizes.ts';
import type { Storage } from './storage.ts';
import { NodeClock, Process, type SimulatedTime } from './time.ts';

interface NodeSurroundings {
  readonly time: SimulatedTime;
  readonly storage: Storage;
  readonly weather: Weathers;
  readonly model: Model;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly coverage: Coverage;
  readonly moments: Moments;
  readonly embedded: boolean;
  readonly timing: Partial<LeaseTiming>;
  readonly retentionMs: number;
  readonly settings: Partial<DeliverySettings>;
  readonly memory: MemorySizes;
  /** Why no connector can be opened at the moment; undefined: they can. */
  cannotOpen(): string | undefined;
  log(text: string): void;
  /** A fault of the program. */
  bug(text: string): void;
}

const ONE_BLOCK = { blocks: 1, bytes: 1 };
const LONGEST_OPENING_MS = 10_000;

/** One process of simstream: the parts of a node that delivery needs, on the storage at the other end of a link. */
export class SimulatedNode {
  readonly name: string;
  readonly process = new Process();
  readonly clock: NodeClock;
  readonly link: Link;
  readonly memory: Memory;
  readonly #surroundings: NodeSurroundings;
  readonly #chance: Chance;
  readonly #stop = new AbortController();
  ingest: Ingest | undefined;
  registry: Registry | undefined;
  log: RecordLog | undefined;
  tree: OrganisationTree | undefined;
  keys: PrivacyKeys | undefined;
  /** Whether all of it has ended, by a stop or a fault. */
  ended = false;

  constructor(name: string, surroundings: NodeSurroundings, chance: Chance) {
    const { time, storage, weather, embedded } = surroundings;
    this.name = name;
    this.#surroundings = surroundings;
    this.#chance = chance;
    this.memory = new Memory(surroundings.memory);
    this.clock = new NodeClock(time, this.process, 1 + (chance.next() - 0.5) * 1e-4);
    const { process } = this;
    this.link = new Link({ time, process, chance: chance.fork(), storage, weather, embedded });
  }

  get runs(): boolean {
    return this.process.runs && !this.ended;
  }

  get stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  start(): void {
    this.#run().then(
      () => this.#end('has ended'),
      (error: unknown) => {
        const expected = error instanceof StoreUnavailable || /epoch of this start/.test(String(error));
        if (!expected) this.#surroundings.bug(`${this.name}: ${stackOf(error)}`);
        this.#end(`gave up: ${error instanceof Error ? error.message : error}`);
      },
    );
  }

  /** A graceful stop: SIGTERM. */
  stop(): void {
    this.#stop.abort();
  }

  /** SIGKILL. */
  kill(): void {
    this.process.kill();
    this.#surroundings.model.died(this.name);
  }

  #end(how: string): void {
    if (this.process.gone) return;
    this.ended = true;
    this.#surroundings.log(`${this.name} ${how}`);
    this.#surroundings.model.died(this.name);
  }

  async #run(): Promise<void> {
    const { clock } = this;
    const { retentionMs, settings, coverage, moments } = this.#surroundings;
    const registry = this.link.registry('registry');
    const log = this.link.log();
    const { signal } = this.#stop;
    const tree = await loadOrganisationTree(registry, signal);
    const directory = await loadStreamDirectory(registry, signal);
    this.registry = registry;
    this.log = log;
    this.tree = tree;
    this.ingest = createIngest({ log, tree, clock });
    const keys = privacyKeys(registry, this.#chance.fork());
    this.keys = keys;
    const opening = this.#chance.fork();
    const open = withPrivacy(async (document: DataStreamDocument) => {
      // As real ones do: credentials are fetched, a library is loaded.
      if (opening.happens(0.3)) {
        await this.#surroundings.time.sleep(opening.skewed(LONGEST_OPENING_MS));
        await this.process.entered();
      }
      return this.#open(document);
    }, keys);
    await runDelivery(
      {
        log,
        registry,
        leases: this.#leases(registry, log),
        clock,
        random: this.#chance.fork(),
        settings: { ...DEFAULT_SETTINGS, retry: DEFAULT_RETRY, ...settings },
        retentionMs,
        tree,
        directory,
        open,
        beside: await this.#notifications(registry),
        telemetry: this.#telemetry(),
        stepped: (state, event, _, { id }) => {
          coverage.stepped(state, event);
          moments.stepped({ streamId: id, node: this.name }, state);
          check(state);
          if (event.type === 'offered') this.memory.saw(event.block.heldBytes);
          if (event.type === 'read')
            for (const { block } of event.blocks) this.memory.saw(block?.heldBytes ?? 0);
          this.memory.check(state);
        },
      },
      signal,
      this.memory.budgets,
    );
  }

  #notifications(registry: Registry) {
    const { time, model, retentionMs, log: tell } = this.#surroundings;
    const { clock, process } = this;
    const fault = (message: string) => tell(`${this.name} notifications: ${message}`);
    const [random, chance] = [this.#chance.fork(), this.#chance.fork()];
    const around = { registry, clock, random, retentionMs, time, process, chance, model, fault };
    return notifications(around, this.#stop.signal);
  }

  #leases(registry: Registry, log: RecordLog) {
    const { embedded, timing, model, log: tell } = this.#surroundings;
    const node = { name: this.name, version: 'simulated' };
    const telemetry: LeaseTelemetry = {
      leaseAcquired: ({ partition, epoch, from }) => {
        model.holds(partition, epoch, this.name);
        tell(`${this.name} holds partition ${partition} (epoch ${epoch}, ${from})`);
      },
      leaseLost: ({ partition, epoch, reason }) =>
        tell(`${this.name} ends partition ${partition} (epoch ${epoch}, ${reason})`),
      nodesCounted: () => {},
      watchRenewed: () => tell(`${this.name} watches the leases anew`),
      clockSkewed: () => {},
    };
    if (embedded) return embeddedLeases(registry, { clock: this.clock, node, telemetry });
    return createSharedLeases({
      store: this.link.registry('leases'),
      lastEpoch: async (partition) => {
        const watermark = await registry.get(watermarkKey(partition));
        return (watermark?.value as { epoch: number } | undefined)?.epoch ?? 0;
      },
      answers: (partition) =>
        Promise.all([registry.get(watermarkKey(partition)), log.read(partition, 1, ONE_BLOCK)]),
      clock: this.clock,
      random: this.#chance.fork(),
      node,
      timing,
      telemetry,
      storageGone: () => this.link.storageGone(),
    });
  }

  #open(document: DataStreamDocument): Opening {
    const { receivers, model, cannotOpen } = this.#surroundings;
    const reason = cannotOpen();
    if (reason) return { type: 'failed', cause: { code: reason, message: `Simulated: ${reason}.` } };
    const receiver = receivers.get(document.target) as Receiver;
    const sizes = JSON.parse(document.sealedCredentials) as Sizes;
    const sender = { node: this.name, process: this.process, model };
    const destination = connect(sender, document.id, receiver, sizes);
    return { type: 'open', destination, gathering: gatheringOf(sizes) };
  }

  #telemetry(): DeliveryTelemetry {
    const { log: tell, bug } = this.#surroundings;
    return {
      attempted: () => {},
      sampled: () => {},
      committed: () => {},
      stateChanged: (stream, state, message) => tell(`${this.name} ${stream.id} is ${state}: ${message}`),
      concurrencyLowered: (by) => tell(`${this.name}: fewer requests at a time: ${by}`),
      recordsExpired: (stream, records) => tell(`${this.name} ${stream.id}: ${records} records expired`),
      recordsQuarantined: (stream, records, cause) =>
        tell(`${this.name} ${stream.id}: ${records} records quarantined (${cause?.code})`),
      deliveryFault: (message, stream) => {
        if (/^(the delivery of the stream|partition \d+) stopped: (?!StoreUnavailable)/.test(message))
          bug(`${this.name}: ${message}`);
        else tell(`${this.name} ${stream?.id ?? ''} fault: ${message.split('\n', 1)[0]}`);
      },
    };
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
