import { countRange } from '../../src/delivery/watching/count-range.ts';
import { readEvents } from '../../src/delivery/watching/kept-events.ts';
import { readPreview } from '../../src/delivery/watching/preview.ts';
import { comparePositions, type Position, type RecordLog } from '../../src/log/log.ts';
import { RECORD_KINDS } from '../../src/records/kinds.ts';
import { partitionOf } from '../../src/registry/organisation.ts';
import type { OrganisationTree } from '../../src/registry/organisation-tree.ts';
import type { Chance } from './chance.ts';
import { filtersFor, isLate, judge, rootOf, type Wish } from './matching.ts';
import type { Kept } from './model.ts';
import type { Scene } from './scene.ts';
import type { NodeClock } from './time.ts';

/** A question that a person asks a node about the records that are kept. */
interface Question {
  readonly parts: { readonly log: RecordLog; readonly tree: OrganisationTree; readonly clock: NodeClock };
  readonly wish: Wish;
  readonly partition: number;
  /** Records before this block had their fate in an earlier round, and the model has forgotten them. */
  readonly from: number;
}

/** What the model knows that the answer may have, and what it must have. */
interface Known {
  readonly surely: readonly Kept[];
  readonly perhaps: ReadonlyMap<number, Kept>;
  /** Everything that the model remembers, wanted or not. */
  readonly all: ReadonlyMap<number, Kept>;
}

/** Compares the answer with what is known. @returns the fault, if it has one */
type Compare = (known: Known) => string | undefined;

/** The history of events, the preview of a stream, and the number of records that a replay would deliver. */
const WAYS: Readonly<Record<string, (question: Question, chance: Chance) => Promise<Compare>>> = {
  events: async ({ parts, wish, partition, from }, chance) => {
    const limit = chance.pick([5, 20, 100]);
    const found: number[] = [];
    let before: Position | undefined;
    do {
      const query = { ...wish, skip: 0, limit, ...(before ? { before } : {}) };
      const page = await readEvents(parts, query, partition, NEVER);
      found.push(...page.events.map(idOf));
      before = page.next;
    } while (before && before.sequence >= from);
    return (known) => faultOf(found, known, known.surely);
  },

  preview: async ({ parts, wish, partition }) => {
    const { samples } = await readPreview(parts, wish, partition, NEVER);
    const found = samples.map(idOf);
    return (known) => {
      const last = known.all.get(found.at(-1) ?? Number.NaN);
      const newer = known.surely.filter((record) => last && comparePositions(record, last) >= 0);
      return faultOf(found, known, newer);
    };
  },

  range: async ({ parts, wish, partition, from }) => {
    const { next } = await parts.log.extent(partition);
    const range = { from: { sequence: from, index: 0 }, until: { sequence: next, index: 0 } };
    const { records, complete } = await countRange(parts, { ...wish, partition }, range, [], NEVER);
    return ({ surely, perhaps }) => {
      const least = complete ? surely.length : 0;
      const fits = records >= least && records <= perhaps.size;
      return fits ? undefined : `${records} records, which are from ${least} to ${perhaps.size}`;
    };
  },
};

const NEVER = new AbortController().signal;

/** Somebody looks at what is kept, at any node, while everything else goes on. */
export async function look(world: Scene, chance: Chance): Promise<string | undefined> {
  const node = world.someNode(chance);
  const { log, tree, clock } = node ?? {};
  if (!log || !tree || !clock) return undefined;
  const way = chance.pick(Object.keys(WAYS));
  const kind = way === 'events' ? 'event' : chance.pick(RECORD_KINDS);
  const organisationId = chance.pick([...world.organisations]);
  const relation = chance.pick([1, 2, 3] as const);
  const wish: Wish = { organisationId, kind, relation, filters: filtersFor(kind, chance) };
  const partition = partitionOf(rootOf(organisationId), world.partitions);
  const from = world.model.roundFrom(partition);
  world.model.look();
  const before = wantedOf(world, wish, partition);
  const compare = await (WAYS[way] as (typeof WAYS)[string])(
    { parts: { log, tree, clock }, wish, partition, from },
    chance,
  );
  // The model has begun anew meanwhile.
  if (world.model.roundFrom(partition) !== from) return undefined;
  world.model.look();
  const { first } = world.storage.extent(partition);
  const known = {
    // Not what was damaged or removed meanwhile, nor what is of an organisation that the node may not know yet.
    surely: before.filter(
      ({ damaged, sequence, traits }) => !damaged && sequence >= first && !isLate(traits.organisation),
    ),
    perhaps: new Map(
      [...wantedOf(world, wish, partition), ...unreadOf(world, wish, partition)].map((record) => [
        record.id,
        record,
      ]),
    ),
    all: world.model.records,
  };
  const words = `${way} of ${JSON.stringify(wish)} at ${node?.name}`;
  const fault = compare(known);
  if (fault !== undefined) world.violated('looks', `${words}: ${fault}`);
  return `${words}: ${known.surely.length} to ${known.perhaps.size}`;
}

function wantedOf({ model }: Scene, wish: Wish, partition: number): Kept[] {
  return [...model.records.values()].filter(
    (record) => record.partition === partition && judge(wish, record.traits) === 'wanted',
  );
}

/** Records that a filter of fields cannot judge, because their bytes are damaged: they pass, so that they are seen. */
function unreadOf(world: Scene, wish: Wish, partition: number): Kept[] {
  return wantedOf(world, { ...wish, filters: [] }, partition).filter(({ damaged }) => damaged);
}

/** @param found ids, the newest record first. @param must those that may not be missing */
function faultOf(found: readonly number[], known: Known, must: readonly Kept[]): string | undefined {
  const ids = new Set(found);
  if (ids.size < found.length) return `a record comes twice: ${found}`;
  // What the model has forgotten is older.
  const remembered = found.flatMap((id) => known.all.get(id) ?? []);
  const wrong = remembered.find(({ id }) => !known.perhaps.has(id));
  if (wrong) return `${wrong.id} is not wanted: ${JSON.stringify(wrong.traits)}`;
  const late = remembered.find(
    (record, at) => at > 0 && comparePositions(record, remembered[at - 1] as Kept) >= 0,
  );
  if (late) return `${late.id} is behind an older one`;
  const missing = must.filter(({ id }) => !ids.has(id));
  return missing.length > 0 ? `missing: ${missing.map(({ id }) => id).slice(0, 5)}` : undefined;
}

function idOf(text: string): number {
  return (JSON.parse(text) as { id: number }).id;
}
