import { LEDGER } from '../../src/delivery/ledger/document.ts';
import { mergeHours } from '../../src/delivery/ledger/store.ts';
import { positionsIn } from '../../src/delivery/quarantine/quarantine.fixture.ts';
import type { Batch, Outcome, RecordFile } from '../../src/destinations/contract.ts';
import { comparePositions, type Position } from '../../src/log/log.ts';
import type {
  DataStreamDocument,
  DoneBlock,
  HourRow,
  ProgressDocument,
} from '../../src/registry/data-stream.ts';
import type { Change } from '../../src/registry/registry.ts';
import type { Traits } from './matching.ts';
import { Notices } from './notices.ts';
import { HiddenFields } from './privacy.ts';
import type { Taking } from './receiver.ts';
import { isWithin, type ReplayModel } from './replay-model.ts';
import type { Sizes } from './sizes.ts';
import { LITTLE_MS, type Placed, type Storage } from './storage.ts';
import type { SimulatedTime } from './time.ts';

/** A record that is in the log. */
export interface Kept extends Placed {
  readonly traits: Traits;
  /** When it was first seen there, ms of the world. */
  readonly storedAt: number;
  /** The block that it lies in can no longer be read as it was. */
  damaged: boolean;
}

/** What the model knows of a stream. */
export interface StreamModel {
  readonly id: string;
  /** Its documents, oldest first, with the time from which each holds. */
  readonly wishes: { readonly from: number; readonly document: DataStreamDocument }[];
  deletedAt: number | undefined;
  progress: ProgressDocument | undefined;
  /** How far the cursor was when, newest last. */
  readonly passed: { readonly at: number; readonly cursor: Position }[];
  /** Records by id: when a receiver took them first, as a number that grows by one with each. */
  readonly taken: Map<number, number>;
  /** Records that a receiver refused by themselves, or asked for again: others may overtake them. */
  readonly declined: Set<number>;
  /** `sequence-index` of what was ever quarantined. */
  readonly quarantined: Set<string>;
  /** The progress as it was at the last check. */
  base: ProgressDocument | undefined;
  /** How far it was when its partition was claimed last: who claimed it goes on from there. */
  atClaim: Position | undefined;
  /** Nodes: the lanes of each request in flight. */
  readonly inFlight: Map<string, Set<ReadonlySet<number>>>;
  /** Records that the program was told were delivered, by the run that was told. */
  readonly told: Map<number, string>;
  /** Ranges that are delivered again, by name. */
  readonly replays: Map<string, ReplayModel>;
  /** Where it took over from another stream. */
  beginsAt: Place | undefined;
  /** Closed hours of the ledger, by the start of the hour. */
  readonly closed: Map<number, HourRow>;
  /** The whole ledger as it was at the last check. */
  baseHours: readonly HourRow[];
}

/** What is before the cursor or in `done` has a fate. */
interface Place {
  readonly cursor: Position;
  readonly done: readonly DoneBlock[];
}

interface Request extends Taking {
  answered(outcome: Outcome): void;
}

interface Offer {
  readonly streamId: string;
  readonly node: string;
  readonly receiver: string;
  readonly delivery: Batch | RecordFile;
  readonly ids: readonly number[];
  readonly signal: AbortSignal;
}

/** In place of a node: who sends again what was quarantined. */
export const PEOPLE = 'people';

/** A change reaches the node that runs the stream within this long, whatever the weather; else more is allowed. */
export const LAG_MS = 180_000;

/**
 * What ought to be, kept beside the program from what can be seen of it from outside: documents that become durable,
 * blocks that are stored, requests that arrive. What may never be is found here at once; `check.ts` compares the rest
 * when the world is calm.
 */
export class Model {
  readonly #time: SimulatedTime;
  readonly #storage: Storage;
  readonly #log: (text: string) => void;
  readonly #violated: (kind: string, text: string) => void;
  readonly #traits = new Map<number, Traits>();
  readonly records = new Map<number, Kept>();
  readonly notices: Notices;
  readonly #hidden = new HiddenFields();
  readonly streams = new Map<string, StreamModel>();
  /** Partitions: the epoch of who claimed it last. */
  readonly #claims = new Map<number, number>();
  readonly #holders = new Map<number, { readonly epoch: number; readonly node: string }>();
  readonly #epochs = new Map<string, number>();
  readonly #roundFrom = new Map<number, number>();
  #order = 0;

  constructor(
    time: SimulatedTime,
    storage: Storage,
    log: (text: string) => void,
    violated: (kind: string, text: string) => void,
  ) {
    this.#time = time;
    this.#storage = storage;
    this.#log = log;
    this.#violated = violated;
    this.notices = new Notices(time, violated);
  }

  produced(traits: Traits): void {
    this.#traits.set(traits.id, traits);
  }

  /** undefined: it had its fate before the last check, or nobody produced it. */
  traits(id: number): Traits | undefined {
    return this.#traits.get(id);
  }

  /** Looks which records have been stored since the last time. */
  look(): void {
    for (const placed of this.#storage.placed()) {
      const traits = this.#traits.get(placed.id);
      if (!traits)
        this.#violated('invented', `the record ${placed.id} is in the log, and nobody produced it`);
      else this.records.set(placed.id, { ...placed, traits, storedAt: this.#time.now, damaged: false });
    }
  }

  /** The producer was told that these are durable. */
  acknowledged(ids: readonly number[]): void {
    this.look();
    const lost = ids.filter((id) => !this.records.has(id));
    if (lost.length > 0) this.#violated('lost', `acknowledged and not in the log: ${lost}`);
  }

  damaged(partition: number, sequence: number): void {
    for (const record of this.records.values())
      if (record.partition === partition && record.sequence === sequence) record.damaged = true;
  }

  /** Somebody looked for the first block since a time of the world. */
  sought(partition: number, from: number, found: number): void {
    const passed = this.#storage
      .stored(partition)
      .find(({ at, sequence }) => at > from + 2 * LITTLE_MS && sequence < found);
    if (passed)
      this.#violated(
        'start',
        `block ${found} is found for ${from}, and ${passed.sequence} is of ${passed.at}`,
      );
  }

  /** The first block of a partition that came after the last check. */
  roundFrom(partition: number): number {
    return this.#roundFrom.get(partition) ?? 1;
  }

  /** Every record has had its fate, and every stream its account: begins anew. */
  begin(): void {
    for (let partition = 0; partition < this.#storage.log.partitions; partition++)
      this.#roundFrom.set(partition, this.#storage.extent(partition).next);
    // A request that still waits for its answer may be stored later.
    for (const id of this.records.keys()) this.#traits.delete(id);
    this.records.clear();
    for (const [id, stream] of this.streams) {
      if (stream.deletedAt !== undefined && this.#time.now - stream.deletedAt > 2 * LAG_MS)
        this.streams.delete(id);
      stream.base = stream.progress;
      stream.baseHours = hoursOf(stream);
      stream.wishes.splice(0, stream.wishes.length - 1);
      stream.passed.length = 0;
      stream.quarantined.clear();
      for (const records of [stream.taken, stream.declined, stream.told]) records.clear();
    }
  }

  died(node: string): void {
    for (const { inFlight } of this.streams.values())
      for (const by of inFlight.keys()) if (by.split('/', 1)[0] === node) inFlight.delete(by);
  }

  /** A document has become durable, or was removed. */
  changed({ key, value }: Change): void {
    const [kind, first = '', second = '', third = '', name = ''] = key.split('.');
    if (kind === 'stream') this.#streamChanged(second, value as unknown as DataStreamDocument | undefined);
    else if (kind === 'progress')
      this.#progressed(key, third, name, value as unknown as ProgressDocument | undefined);
    else if (kind === 'watermark') this.#claimed(Number(first), value as { sequence: number; epoch: number });
    else if (kind === 'ledger' && value !== undefined) this.#closed(key, LEDGER.parse(value).hours);
    else if (kind === 'quarantine' && value !== undefined) {
      const quarantined = this.streams.get(second)?.quarantined;
      for (const { sequence, index } of positionsIn(third, value)) quarantined?.add(`${sequence}-${index}`);
    }
  }

  #streamChanged(id: string, document: DataStreamDocument | undefined): void {
    const known = this.streams.get(id);
    const from = this.#time.now;
    if (!document) {
      if (known) known.deletedAt = from;
      return;
    }
    if (known) {
      known.wishes.push({ from, document });
      this.#replaysChanged(known, document);
    } else {
      this.streams.set(id, {
        id,
        wishes: [{ from, document }],
        deletedAt: undefined,
        progress: undefined,
        passed: [],
        taken: new Map(),
        declined: new Set(),
        quarantined: new Set(),
        base: undefined,
        atClaim: undefined,
        inFlight: new Map(),
        told: new Map(),
        replays: new Map(),
        beginsAt: undefined,
        closed: new Map(),
        baseHours: [],
      });
    }
  }

  #replaysChanged({ replays }: StreamModel, document: DataStreamDocument): void {
    const wanted = document.replays ?? [];
    for (const name of replays.keys()) if (!wanted.some(({ id }) => id === name)) replays.delete(name);
    for (const replay of wanted) {
      const known = replays.get(replay.id);
      if (known) known.replay = replay;
      else replays.set(replay.id, { replay, since: this.#time.now, progress: undefined, taken: new Set() });
    }
  }

  #progressed(key: string, id: string, name: string, document: ProgressDocument | undefined): void {
    const stream = this.streams.get(id);
    if (!document || !stream) return;
    if (name !== '') {
      const replay = stream.replays.get(name);
      this.#checkProgress(key, `${id}.${name}`, replay?.progress, document);
      if (replay) replay.progress = document;
      return;
    }
    const { continueFrom } = stream.wishes[0]?.document ?? {};
    // Where the other stream was deleted before, nothing was handed over: it begins at its own start, and has not run before.
    if (!stream.progress && continueFrom !== undefined && document.status.state === 'pending')
      stream.beginsAt = { cursor: document.cursor, done: document.done ?? [] };
    this.#checkProgress(key, id, stream.progress, document);
    this.#checkLedger(stream, document);
    const { cursor } = document;
    stream.progress = document;
    const last = stream.passed.at(-1);
    if (!last || comparePositions(cursor, last.cursor) > 0)
      stream.passed.push({ at: this.#time.now, cursor });
  }

  #checkProgress(
    key: string,
    id: string,
    before: ProgressDocument | undefined,
    document: ProgressDocument,
  ): void {
    const { epoch, cursor, counters, pending, status } = document;
    this.#log(
      `progress ${id} ${cursor.sequence}.${cursor.index} ${Object.values(counters).join('/')} pending ${pending} ${status.state} epoch ${epoch}`,
    );
    if (epoch < (this.#epochs.get(key) ?? 0))
      this.#violated(
        'two holders',
        `${id} was committed under epoch ${epoch} after ${this.#epochs.get(key)}`,
      );
    this.#epochs.set(key, epoch);
    if (before && before.epoch === epoch && comparePositions(cursor, before.cursor) < 0)
      this.#violated('cursor back', `${id}: ${JSON.stringify(before.cursor)} → ${JSON.stringify(cursor)}`);
    if (before && before.epoch === epoch)
      for (const [name, value] of Object.entries(counters))
        if (value < before.counters[name as keyof typeof counters])
          this.#violated('accounts', `${id}: ${name} went back to ${value}`);
    if (pending < 0 || !Number.isInteger(pending)) this.#violated('accounts', `${id}: pending is ${pending}`);
  }

  #closed(key: string, hours: readonly HourRow[]): void {
    const stream = this.streams.get(key.split('.')[4] ?? '');
    for (const row of hours) stream?.closed.set(row.hour, row);
  }

  /** The ledger says the same as the counters. */
  #checkLedger({ id, closed }: StreamModel, document: ProgressDocument): void {
    const { counters, hours = [], waitingHours = [], pending, waiting = pending } = document;
    const rows = mergeHours([...closed.values()], hours);
    for (const fate of ['delivered', 'filtered', 'quarantined', 'expired'] as const) {
      const sum = rows.reduce((total, row) => total + row[fate], 0);
      if (sum !== counters[fate])
        this.#violated('ledger', `${id}: ${counters[fate]} records are ${fate}, ${sum} by hours`);
    }
    const sums = [0, 0, 0];
    for (const [at, value] of waitingHours.entries()) sums[at % 3] = (sums[at % 3] as number) + value;
    if (sums[1] !== pending || sums[2] !== waiting)
      this.#violated('ledger', `${id}: ${pending} of ${waiting} wait, ${sums[1]} of ${sums[2]} by hours`);
  }

  #claimed(partition: number, watermark: { epoch: number } | undefined): void {
    const before = this.#claims.get(partition) ?? 0;
    if (!watermark) return;
    if (watermark.epoch < before)
      this.#violated(
        'two holders',
        `partition ${partition}: watermark of epoch ${watermark.epoch} after ${before}`,
      );
    if (watermark.epoch === before) return;
    this.#claims.set(partition, watermark.epoch);
    for (const stream of this.streams.values())
      if (stream.wishes[0]?.document.partition === partition) stream.atClaim = stream.progress?.cursor;
  }

  /** The epoch under which a partition was claimed last. */
  claimOf(partition: number): number | undefined {
    return this.#claims.get(partition);
  }

  /** The node that claimed a partition last; undefined: the one that claims it now has not said so. */
  holderOf(partition: number): string | undefined {
    const holder = this.#holders.get(partition);
    return holder?.epoch === this.#claims.get(partition) ? holder?.node : undefined;
  }

  /** A node was given the lease of a partition. */
  holds(partition: number, epoch: number, node: string): void {
    if (epoch >= (this.#holders.get(partition)?.epoch ?? 0)) this.#holders.set(partition, { epoch, node });
  }

  /** A request of a stream has left a node. */
  offered({ streamId, node, receiver, delivery, ids, signal }: Offer): Request {
    this.look();
    const stream = this.streams.get(streamId);
    if (!stream) throw new Error(`a request of a stream ${streamId} that was never there`);
    const { first, last, deliveryId, replay: name } = delivery;
    const replay = name === undefined ? undefined : stream.replays.get(name);
    const by = name === undefined ? node : `${node}/${name}`;
    const range = `${first.sequence}.${first.index}-${last.sequence}.${last.index}`;
    this.#log(`${node} ${streamId} → ${receiver} ${ids.length} records ${range} ${deliveryId}`);
    // What people send again from the quarantine is in nobody's order.
    const lanes = new Set(ids.map((id) => laneOf(stream, this.traits(id)?.endpoint)));
    if (node !== PEOPLE) this.#checkLanes(stream, by, lanes);
    if (replay) this.#checkRange(stream, replay, ids);
    else if (node !== PEOPLE && name === undefined) this.#checkOffer(stream, node, ids);
    const inFlight = stream.inFlight.get(by) ?? new Set();
    stream.inFlight.set(by, inFlight.add(lanes));
    return {
      took: (indexes) => {
        for (const index of indexes) {
          const id = ids[index] as number;
          replay?.taken.add(id);
          // What people send again is quarantined: that is its fate, also where a replay quarantined it that other filters choose for.
          if (node !== PEOPLE && name === undefined && !stream.taken.has(id))
            stream.taken.set(id, ++this.#order);
        }
      },
      declined: (indexes) => {
        if (name !== undefined) return;
        for (const index of indexes) stream.declined.add(ids[index] as number);
      },
      answered: (outcome) => {
        inFlight.delete(lanes);
        this.#log(`${node} ${streamId} ← ${describe(outcome)}${signal.aborted ? ' (cancelled)' : ''}`);
        if (outcome.type !== 'delivered' || signal.aborted || name !== undefined) return;
        for (const id of ids) stream.told.set(id, this.#runOf(stream, node));
      },
    };
  }

  /** A receiver has got a record with this of the field that people hide. */
  saw(streamId: string, id: number, hidden: string | undefined): void {
    const stream = this.streams.get(streamId);
    const traits = this.#traits.get(id);
    if (!stream || !traits) return;
    const wrong = this.#hidden.saw(stream.wishes, this.#time.now - LAG_MS, traits.endpoint, hidden);
    if (wrong) this.#violated('privacy', `${streamId}: the hidden field of ${id}: ${wrong}`);
  }

  #runOf(stream: StreamModel, node: string): string {
    return `${node}/${this.#claims.get(stream.wishes[0]?.document.partition as number)}`;
  }

  #checkLanes({ id, deletedAt, inFlight }: StreamModel, by: string, lanes: ReadonlySet<number>): void {
    const { now } = this.#time;
    if (deletedAt !== undefined && now - deletedAt > LAG_MS)
      this.#violated('deleted', `${id} was deleted ${now - deletedAt} ms ago and delivers`);
    if ([...(inFlight.get(by) ?? [])].some((other) => !other.isDisjointFrom(lanes)))
      this.#violated('lane', `${id} has two requests of one lane in flight at ${by}`);
  }

  #checkRange({ id }: StreamModel, replay: ReplayModel, ids: readonly number[]): void {
    for (const record of ids.map((each) => this.records.get(each)))
      if (!record || !isWithin(replay, record))
        this.#violated('range', `${id}: ${record?.id} is outside of replay ${replay.replay.id}`);
  }

  #checkOffer(stream: StreamModel, node: string, ids: readonly number[]): void {
    const { id } = stream;
    const floor = this.#floorOf(stream, node);
    const run = this.#runOf(stream, node);
    let before: Kept | undefined;
    for (const record of ids.map((each) => this.records.get(each))) {
      if (!record) {
        this.#violated('repeated', `${id} sends a record again that had its fate before the last check`);
        return;
      }
      if (floor && comparePositions(record, floor) < 0)
        this.#violated('repeated', `${id} sends ${record.id}, which lies before its durable cursor`);
      if (stream.told.get(record.id) === run)
        this.#violated(
          'repeated',
          `${id} sends ${record.id} again, which was delivered in this run (${run})`,
        );
      if (before && comparePositions(before, record) >= 0)
        this.#violated('order', `${id}: ${before.id} stands before ${record.id} in one request`);
      before = record;
    }
  }

  /** What the node knows to be done: only the holder knows, and only what it read or wrote itself. */
  #floorOf(stream: StreamModel, node: string): Position | undefined {
    const partition = stream.wishes[0]?.document.partition as number;
    const holder = this.#holders.get(partition);
    const claimed = this.#claims.get(partition);
    if (holder?.node !== node || holder.epoch !== claimed || stream.deletedAt !== undefined) return undefined;
    return stream.progress?.epoch === claimed ? stream.progress.cursor : stream.atClaim;
  }
}

/**
 * Records of one lane are sent in order: all of a stream, or those of an endpoint. Where the order was changed since the last
 * check, only those of an endpoint surely were.
 */
export function laneOf({ wishes }: StreamModel, endpoint = -1): number {
  const byDevice = wishes.some(({ document: { sealedCredentials, delivery } }) => {
    const { lanes } = JSON.parse(sealedCredentials) as Sizes;
    return lanes !== undefined || delivery?.ordering === 'device';
  });
  return byDevice ? endpoint : 0;
}

/** The whole ledger of a stream: hours that are closed, and those that are not. */
export function hoursOf({ closed, progress }: StreamModel): readonly HourRow[] {
  return mergeHours([...closed.values()], progress?.hours ?? []);
}

function describe(outcome: Outcome): string {
  if (outcome.type === 'partial') {
    const rejected = outcome.failures.filter(({ verdict }) => verdict === 'reject').length;
    return `partial, ${outcome.failures.length} not taken, ${rejected} of them for good`;
  }
  return 'cause' in outcome ? `${outcome.type} ${outcome.cause.code}` : outcome.type;
}
