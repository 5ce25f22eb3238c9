import type { Batch, Destination, Gathering, Outcome } from '../destinations/contract.ts';
import { type Sloth, slothful } from '../leases/registry.fixture.ts';
import { createBelievedTime } from '../lib/believed-time.ts';
import { ManualClock, seededRandom, settle } from '../lib/manual-clock.fixture.ts';
import { ALWAYS, type Permit } from '../lib/permit.ts';
import { Shares } from '../lib/shares.ts';
import { createMemoryLog, memoryLogStorage } from '../log/memory.ts';
import { blockInMemory, encodeBlock, type RecordKind } from '../records/block.ts';
import {
  type DataStreamDocument,
  type ProgressDocument,
  progressKey,
  type StreamState,
  streamKey,
} from '../registry/data-stream.ts';
import { createMemoryRegistry, memoryRegistryStorage } from '../registry/memory.ts';
import { organisationKey } from '../registry/organisation.ts';
import { loadOrganisationTree } from '../registry/organisation-tree.ts';
import type { Json } from '../registry/registry.ts';
import { PartitionRunner } from './partition/runner.ts';
import type { DeliveryTelemetry } from './partition/runner-context.ts';
import { loadStreamDirectory } from './partition/stream-directory.ts';
import { listQuarantined, removeQuarantined } from './quarantine/reading.ts';
import { idsOf, makeBlock, type TestRecord } from './records.fixture.ts';
import { check } from './stream/accounts.fixture.ts';
import { HeldBlocks } from './stream/held-blocks.ts';
import { DEFAULT_RETRY } from './stream/retry.ts';
import type { SideJob } from './stream/state.ts';
import {
  type Attempt,
  DEFAULT_SETTINGS,
  type DeliverySettings,
  type Stepped,
} from './stream/stream-context.ts';

/** Answers a delivery; `ids` are those of the records in it. */
export type Peer = (ids: readonly number[], batch: Batch, signal: AbortSignal) => Outcome | Promise<Outcome>;

/**
 * A node's delivery in a nutshell, for tests: one partition on in-memory storage, a clock that the test moves, and peers
 * that are functions. `crash` drops everything but the storage.
 */
export class TestWorld {
  readonly clock = new ManualClock();
  readonly #logStorage = memoryLogStorage();
  readonly #registryStorage = memoryRegistryStorage();
  readonly #peers = new Map<string, Peer>();
  readonly settings: DeliverySettings;
  gathering: Gathering;
  /** Of the node that runs. */
  waiting = new HeldBlocks(0);
  healthy = shares();
  permit: Permit = ALWAYS;
  readonly expired: { stream: string; records: number }[] = [];
  readonly #waitingBytes: number;
  readonly faults: string[] = [];
  readonly states: { stream: string; state: StreamState }[] = [];
  readonly attempts: Attempt[] = [];
  readonly retentionMs: number;
  readonly #given: Destination | undefined;
  readonly #sloth: Sloth;
  readonly #telemetry: Partial<DeliveryTelemetry>;
  readonly #stepped: Stepped | undefined;
  #epoch = 0;
  #life = 0;
  log = createMemoryLog({ partitions: 1, clock: this.clock, storage: this.#logStorage });
  registry = createMemoryRegistry({ storage: this.#registryStorage });
  #stop: AbortController | undefined;
  #runner: PartitionRunner | undefined;
  #running: Promise<void> | undefined;

  constructor(
    options: {
      settings?: Partial<DeliverySettings>;
      gathering?: Gathering;
      waitingBytes?: number;
      retentionMs?: number;
      /** The destination of every stream, in place of peers that are functions. */
      destination?: Destination;
      /** The behaviour of the runner's registry; the test's own reads are current. */
      sloth?: Sloth;
      /** Told as well. */
      telemetry?: Partial<DeliveryTelemetry>;
      /** Called in each step of a machine. */
      stepped?: Stepped;
    } = {},
  ) {
    this.#waitingBytes = options.waitingBytes ?? 2 ** 26;
    this.#given = options.destination;
    this.#sloth = options.sloth ?? {};
    this.#telemetry = options.telemetry ?? {};
    this.#stepped = options.stepped;
    this.settings = { ...DEFAULT_SETTINGS, retry: DEFAULT_RETRY, ...options.settings };
    this.gathering = options.gathering ?? { by: 'batch', records: 100, bytes: 2 ** 20 };
    this.retentionMs = options.retentionMs ?? 7 * 86_400_000;
  }

  async start(): Promise<void> {
    const stop = new AbortController();
    const life = ++this.#life;
    this.waiting = new HeldBlocks(this.#waitingBytes);
    this.healthy = shares();
    const runner = new PartitionRunner(
      {
        log: this.log,
        registry: slothful(this.registry, this.clock, this.#sloth),
        clock: this.clock,
        random: seededRandom(life),
        settings: this.settings,
        retentionMs: this.retentionMs,
        timeOfAges: createBelievedTime(this.clock),
        timeOfHours: createBelievedTime(this.clock),
        tree: await loadOrganisationTree(this.registry, stop.signal),
        directory: await loadStreamDirectory(this.registry, stop.signal),
        budgets: { healthy: this.healthy, failing: shares(), waiting: this.waiting },
        open: async (document) => ({
          type: 'open',
          gathering: this.gathering,
          destination: this.#destination(document, life),
        }),
        stepped: (state, event, effects, stream) => {
          check(state);
          this.#stepped?.(state, event, effects, stream);
        },
        telemetry: {
          attempted: (attempt) => this.attempts.push(attempt),
          stateChanged: (stream, state) => this.states.push({ stream: stream.id, state }),
          sampled: () => {},
          concurrencyLowered: () => {},
          recordsExpired: (stream, records) => this.expired.push({ stream: stream.id, records }),
          committed: () => undefined,
          recordsQuarantined: (...told) => this.#telemetry.recordsQuarantined?.(...told),
          deliveryFault: (...told) => {
            this.faults.push(told[0]);
            this.#telemetry.deliveryFault?.(...told);
          },
        },
      },
      0,
      ++this.#epoch,
      this.permit,
    );
    this.#stop = stop;
    this.#runner = runner;
    this.#running = runner.run(stop.signal);
    await settle();
  }

  /** A graceful stop. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    await this.#running;
  }

  /** As after `kill -9`: data that was not durable is gone, and requests in flight have no outcome. */
  async crash(): Promise<void> {
    this.#life++;
    const { registry } = this;
    // Later writes of the dead process do not happen.
    const never = () => new Promise<never>(() => {});
    Object.assign(registry, { put: never, putMany: never, delete: never });
    this.#stop?.abort();
    this.log = createMemoryLog({ partitions: 1, clock: this.clock, storage: this.#logStorage });
    this.registry = createMemoryRegistry({ storage: this.#registryStorage });
    await settle();
  }

  async organisation(id: number, parentId: number | null = null, rootId = id): Promise<void> {
    const document = { id, name: `organisation ${id}`, parentId, rootId, created: '' };
    await this.registry.put(organisationKey(id), document, 0);
  }

  async stream(id: string, peer: Peer, wanted: Partial<DataStreamDocument> = {}): Promise<void> {
    this.#peers.set(id, peer);
    const document: DataStreamDocument = {
      id,
      organisationId: 1,
      kind: 'usage',
      relation: 1,
      connectionType: 'Test',
      format: 'Json',
      sealedCredentials: '',
      maskedCredentials: {},
      target: 'test',
      identity: 'test',
      filters: [],
      desired: 'running',
      generation: 1,
      start: { sequence: (await this.log.extent(0)).next, index: 0 },
      partition: 0,
      created: '',
      modified: '',
      ...wanted,
    };
    await this.registry.put(streamKey(document.organisationId, id), document as unknown as Json, 0);
    await settle();
  }

  peer(id: string, peer: Peer): void {
    this.#peers.set(id, peer);
  }

  async change(id: string, change: Partial<DataStreamDocument>, organisationId = 1): Promise<void> {
    const key = streamKey(organisationId, id);
    const entry = await this.registry.get(key);
    await this.registry.put(key, { ...(entry?.value as object), ...change } as Json);
    await settle();
  }

  async remove(id: string, organisationId = 1): Promise<void> {
    await this.registry.delete(streamKey(organisationId, id));
    await this.registry.delete(progressKey({ partition: 0, organisationId, id }));
    await settle();
  }

  /** Runs a job beside the live one of a stream; see PartitionRunner. */
  beside(id: string, job: SideJob): Promise<boolean> {
    return (this.#runner as PartitionRunner).runBeside(1, id, job);
  }

  /** @param job the name of a job beside the live one */
  async progress(id: string, organisationId = 1, job?: string): Promise<ProgressDocument> {
    const key = { partition: 0, organisationId, id, job: job === undefined ? undefined : { name: job } };
    const entry = await this.registry.get(progressKey(key));
    if (!entry) throw new Error(`the stream ${id} has no progress yet`);
    return entry.value as unknown as ProgressDocument;
  }

  async quarantined(id: string, organisationId = 1): Promise<number[]> {
    const page = { limit: 10_000, mostBytes: 2 ** 30 };
    const { records } = await listQuarantined(this.registry, { organisationId, id }, page);
    return records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()).id as number);
  }

  async emptyQuarantine(id: string, organisationId = 1): Promise<void> {
    const { records } = await listQuarantined(this.registry, { organisationId, id }, { limit: 10_000 });
    await removeQuarantined(
      this.registry,
      { organisationId, id },
      records.map((record) => record.id),
    );
  }

  async append(kind: RecordKind, records: readonly TestRecord[]): Promise<void> {
    const { index, payload } = makeBlock(kind, records);
    const arrivedAt = this.clock.now();
    const bytes = await encodeBlock(index, payload, arrivedAt);
    const outcome = await this.log.append([
      { partition: 0, bytes, block: blockInMemory(index, payload, arrivedAt, bytes) },
    ]);
    if (outcome.type !== 'stored') throw new Error(outcome.type);
  }

  /** The page that a block begins with is lost. */
  damageIndex(sequence: number): void {
    this.#stored(sequence).fill(0, 0, 40);
  }

  /** Flips a bit in the stored payload of a block. */
  damageBlock(sequence: number): void {
    const bytes = this.#stored(sequence);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  }

  #stored(sequence: number): Uint8Array {
    const { first, blocks } = this.#logStorage.partitions[0] as { first: number; blocks: Uint8Array[] };
    return blocks[sequence - first] as Uint8Array;
  }

  #destination(document: DataStreamDocument, life: number): Destination {
    if (this.#given) return this.#given;
    return {
      takes: 'batches',
      verify: async () => ({ type: 'reachable' }),
      close: async () => {},
      send: async (batch, signal) => {
        if (life !== this.#life) return new Promise(() => {});
        const peer = this.#peers.get(document.id) as Peer;
        return peer(
          batch.segments.flatMap(({ block, from, to }) => idsOf(block, from, to)),
          batch,
          signal,
        );
      },
    };
  }
}

function shares(): Shares {
  return new Shares({ capacity: 2 ** 26, reserve: 0, small: 0, least: 0 });
}
