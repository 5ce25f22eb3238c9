import { withFormerKind } from '../../src/api/data-streams/change.ts';
import { removeStream } from '../../src/api/data-streams/removal.ts';
import { changeStream, insertStream } from '../../src/api/data-streams/store.ts';
import { placeOf } from '../../src/api/data-streams/take-over.ts';
import { listQuarantined, removeQuarantined } from '../../src/delivery/quarantine/reading.ts';
import { resendQuarantined } from '../../src/delivery/watching/resend.ts';
import type { RecordLog } from '../../src/log/log.ts';
import type { PrivacyKeys } from '../../src/privacy/keys.ts';
import { withPrivacy } from '../../src/privacy/opener.ts';
import { RECORD_KINDS } from '../../src/records/kinds.ts';
import {
  type DataStreamDocument,
  type DeliveryWishes,
  type RecordPrivacy,
  streamKey,
} from '../../src/registry/data-stream.ts';
import { organisationKey, partitionOf } from '../../src/registry/organisation.ts';
import type { Json, Registry } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';
import { connect } from './delivering.ts';
import { filtersFor, LATE_PARENTS, rootOf } from './matching.ts';
import { type Model, PEOPLE } from './model.ts';
import { PRIVACIES } from './privacy.ts';
import type { Receiver } from './receiver.ts';
import { gatheringOf, type Sizes } from './sizes.ts';
import { BEGINNING, Process, type SimulatedTime } from './time.ts';

/** Where people's calls arrive: the parts of a node that its API uses. */
export interface Desk {
  readonly registry: Registry;
  readonly log: RecordLog;
  readonly keys: PrivacyKeys;
  readonly time: SimulatedTime;
  readonly model: Model;
  readonly receivers: ReadonlyMap<string, Receiver>;
  /** Registered ones. */
  readonly organisations: Set<number>;
}

type Change = (stored: DataStreamDocument, chance: Chance) => Partial<DataStreamDocument>;

/** What people change of a stream. Who resumes, restarts or moves it begins a new generation, as the API does. */
export const CHANGES: Readonly<Record<string, Change>> = {
  pauseStream: () => ({ desired: 'paused' }),
  resumeStream: ({ desired, generation }) =>
    desired === 'paused' ? { desired: 'running', generation: generation + 1 } : {},
  filters: ({ kind }, chance) => ({ filters: filtersFor(kind, chance) }),
  relation: (_, chance) => ({ relation: chance.pick([1, 2, 3] as const) }),
  kind: (stored, chance) => {
    const kind = chance.pick(RECORD_KINDS.filter((other) => other !== stored.kind));
    return { kind, filters: filtersFor(kind, chance) };
  },
  privacy: (_, chance) => ({ privacy: chance.pick(PRIVACIES) as RecordPrivacy }),
  format: ({ format }) => ({ format: format === 'Json' ? 'Csv' : 'Json' }),
  size: (stored, chance) => ({ sealedCredentials: JSON.stringify(changedSizes(stored, chance)) }),
  delivery: (_, chance) => ({ delivery: chance.pick(WISHES) }),
  destination: ({ generation }, chance) => ({
    ...destinationOf(chance),
    generation: generation + 1,
  }),
  autoRestart: ({ autoRestart = false }) => ({ autoRestart: !autoRestart }),
  restart: ({ generation, desired }) => (desired === 'running' ? { generation: generation + 1 } : {}),
};

/** What people want of order and pace. None makes a stream so slow that it cannot come to its end while the world is calm. */
const WISHES: readonly DeliveryWishes[] = [
  {},
  { ordering: 'stream' },
  { ordering: 'device' },
  { ordering: 'device', maxInFlight: 2, maxRequestsPerSecond: 20 },
  { ordering: 'device', minRecords: 5, maxWaitMs: 5_000 },
  { maxInFlight: 1, maxRecordsPerSecond: 50 },
  { maxRequestsPerSecond: 5 },
  { minRecords: 20, maxWaitMs: 60_000 },
  { maxWaitMs: 2_000 },
];

export async function change(desk: Desk, id: string, what: string, chance: Chance): Promise<void> {
  const document = desk.model.streams.get(id)?.wishes.at(-1)?.document;
  if (!document) return;
  await changeStream(desk.registry, document.organisationId, id, async (stored) => {
    // The other stream goes on for it.
    if (stored.takenOverBy !== undefined) return undefined;
    const changed = { ...stored, ...(CHANGES[what] as Change)(stored, chance) };
    const { partition } = stored;
    const startPosition = async () => {
      const { next } = await desk.log.extent(partition);
      return { partition, position: { sequence: next, index: 0 } };
    };
    return withFormerKind({ startPosition }, stored, changed);
  });
}

/** With the stream that it took over from, which would be paused for good. @returns whether it could be deleted */
export async function remove(desk: Desk, id: string): Promise<boolean> {
  const { streams } = desk.model;
  const document = streams.get(id)?.wishes.at(-1)?.document;
  if (!document) return true;
  // As the API: a stream whose place is being handed over waits for that.
  const by = streams.get(document.takenOverBy ?? '');
  if (by && by.deletedAt === undefined && !by.progress) return false;
  if (document.continueFrom !== undefined && !(await remove(desk, document.continueFrom))) return false;
  await removeStream(desk.registry, document.organisationId, id, BEGINNING + desk.time.now);
  return true;
}

/** Creates a stream that goes on where the other one ends. */
export async function takeOver(desk: Desk, id: string, chance: Chance): Promise<string> {
  const other = desk.model.streams.get(id)?.wishes.at(-1)?.document;
  if (!other || other.takenOverBy !== undefined || desk.model.streams.size > MOST_STREAMS) return 'none';
  const { organisationId, partition, kind } = other;
  const { position: start } = await placeOf(desk.registry, other);
  const fresh = newStream(chance, organisationId, partition, start.sequence);
  const filters = filtersFor(kind, chance);
  const former = other.former ? { former: other.former } : {};
  const document = {
    ...fresh,
    ...former,
    kind,
    filters,
    start,
    desired: 'running',
    continueFrom: id,
  } as const;
  await insertStream(desk.registry, document, created(desk));
  return document.id;
}

const created = ({ time }: Desk) =>
  ({ at: BEGINNING + time.now, state: 'pending', message: 'Created.', actor: 'user:simulated' }) as const;

/** More cost time and show nothing new. */
export const MOST_STREAMS = 24;

export async function create(desk: Desk, chance: Chance): Promise<string> {
  const organisationId = chance.pick([...desk.organisations]);
  const partition = partitionOf(rootOf(organisationId), desk.log.partitions);
  const start = chance.happens(0.3) ? await startFrom(desk, partition, chance) : undefined;
  const { next } = await desk.log.extent(partition);
  const document = newStream(chance, organisationId, partition, start ?? next);
  await insertStream(desk.registry, document, created(desk));
  return document.id;
}

/** Where a stream begins that is to get what arrived since a time, but nothing from before the last check. */
async function startFrom({ log, model, time }: Desk, partition: number, chance: Chance): Promise<number> {
  const from = time.now - chance.skewed(30 * 60_000);
  const found = await log.seek(partition, BEGINNING + from);
  model.sought(partition, from, found);
  return Math.max(found, model.roundFrom(partition));
}

/** Registers the next organisation of those that appear late. @returns undefined: all are registered */
export async function register({ registry, organisations }: Desk): Promise<number | undefined> {
  for (const [id, parent] of LATE_PARENTS) {
    if (organisations.has(id)) continue;
    const outcome = await registry.put(organisationKey(id), organisationOf(id, parent));
    // Without an answer nobody counts on it, and it is registered again.
    if (outcome.type !== 'unavailable') organisations.add(id);
    return id;
  }
  return undefined;
}

export function organisationOf(id: number, parent: number | undefined): Json {
  return { id, name: `organisation ${id}`, parentId: parent ?? null, rootId: rootOf(id), created: '' };
}

/** Sends again, or throws away, what is quarantined of a stream. */
export async function empty(desk: Desk, id: string, how: 'resend' | 'discard'): Promise<number> {
  const document = desk.model.streams.get(id)?.wishes.at(-1)?.document;
  if (!document) return 0;
  const { registry, model, receivers } = desk;
  const { records: found } = await listQuarantined(registry, document, { limit: 1_000 });
  if (how === 'discard') {
    const ids = found.map((record) => record.id);
    return (await removeQuarantined(registry, document, ids)).size;
  }
  const sender = { node: PEOPLE, process: new Process(), model };
  const sizes = JSON.parse(document.sealedCredentials) as Sizes;
  const receiver = receivers.get(document.target) as Receiver;
  const destination = connect(sender, id, receiver, { ...sizes, takes: 'batches' });
  const open = async () => ({ type: 'open', destination, gathering: gatheringOf(sizes) }) as const;
  const opening = await withPrivacy(open, desk.keys)(document);
  if (opening.type === 'failed') return 0;
  const stop = new AbortController();
  await resendQuarantined(registry, document, opening.destination, found, stop.signal);
  return found.length;
}

export function newStream(
  chance: Chance,
  organisationId: number,
  partition: number,
  next: number,
): DataStreamDocument {
  const kind = chance.pick(['usage', 'event', 'event', 'sms'] as const);
  const at = new Date(BEGINNING).toISOString();
  const id = chance.bytes(4);
  return {
    id: Buffer.from(id).toString('hex'),
    autoRestart: (id[0] as number) % 2 === 0,
    organisationId,
    kind,
    relation: chance.pick([1, 3, 2] as const),
    connectionType: 'Simulated',
    format: 'Json',
    sealedCredentials: JSON.stringify(sizesOf(chance)),
    maskedCredentials: {},
    ...destinationOf(chance),
    filters: filtersFor(kind, chance),
    desired: chance.happens(0.1) ? 'paused' : 'running',
    generation: 1,
    start: { sequence: next, index: 0 },
    partition,
    created: at,
    modified: at,
  };
}

export const streamKeyOf = ({ organisationId, id }: DataStreamDocument) => streamKey(organisationId, id);

/** Names of the receivers there are. */
export const RECEIVERS = ['r0', 'r1', 'r2', 'r3', 'r4'];

function destinationOf(chance: Chance): { target: string; identity: string } {
  const target = chance.pick(RECEIVERS);
  return { target, identity: target };
}

function sizesOf(chance: Chance): Sizes {
  return {
    takes: chance.happens(0.2) ? 'files' : 'batches',
    records: chance.pick([1, 5, 40, 100, 1_000]),
    bytes: chance.pick([3_000, 20_000, 2 ** 20]),
    intervalMs: chance.pick([10_000, 60_000, 300_000]),
    ...(chance.happens(0.3) ? { lanes: chance.between(2, 6) } : {}),
  };
}

/** Of the same kind: what takes files, or has lanes, goes on to do so. */
function changedSizes({ sealedCredentials }: DataStreamDocument, chance: Chance): Sizes {
  const { takes, lanes } = JSON.parse(sealedCredentials) as Sizes;
  const { lanes: _, ...sizes } = sizesOf(chance);
  return { ...sizes, takes, ...(lanes === undefined ? {} : { lanes }) };
}
