import { hourOf } from '../../src/delivery/stream/hours.ts';
import { comparePositions } from '../../src/log/log.ts';
import type { DataStreamDocument, HourRow, ProgressDocument } from '../../src/registry/data-stream.ts';
import { judge, type Verdict } from './matching.ts';
import { hoursOf, type Kept, LAG_MS, laneOf, type Model, type StreamModel } from './model.ts';
import { unfinished } from './replays.ts';
import type { Storage } from './storage.ts';

interface Finding {
  readonly kind: string;
  readonly text: string;
}

/** What the stream may have done with a record: more than one where a change came at about that time. */
export function verdicts(stream: StreamModel, record: Kept, now: number): ReadonlySet<Verdict> {
  const first = stream.wishes[0]?.document;
  if (!first || first.partition !== record.partition) return new Set(['uncovered']);
  const { beginsAt } = stream;
  if (beginsAt ? hasFate(beginsAt, record) : comparePositions(record, first.start) < 0)
    return new Set(['uncovered']);
  const passed = passedAt(stream, record) ?? now;
  const found = new Set<Verdict>();
  stream.wishes.forEach(({ from, document }, index) => {
    const until = stream.wishes[index + 1]?.from ?? Number.POSITIVE_INFINITY;
    if (from <= passed && until + LAG_MS >= record.storedAt) found.add(verdictOf(document, record));
  });
  return found;
}

/** A record of a kind that the stream had when the record was stored is the stream's; it does not pass any more. */
export function verdictOf(document: DataStreamDocument, record: Kept): Verdict {
  const { kind } = record.traits;
  const had = document.former?.some((former) => former.kind === kind && record.sequence < former.until);
  if (!had) return judge(document, record.traits);
  return judge({ ...document, kind, filters: [] }, record.traits) === 'wanted' ? 'filtered' : 'uncovered';
}

export function hasFate({ cursor, done }: NonNullable<StreamModel['beginsAt']>, record: Kept): boolean {
  if (comparePositions(record, cursor) < 0) return true;
  const ranges = done.find(({ sequence }) => sequence === record.sequence)?.ranges ?? [];
  for (let at = 0; at < ranges.length; at += 2)
    if (record.index >= (ranges[at] as number) && record.index < (ranges[at + 1] as number)) return true;
  return false;
}

/** When the cursor had passed the record. */
function passedAt({ passed }: StreamModel, record: Kept): number | undefined {
  let low = 0;
  let high = passed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePositions((passed[middle] as (typeof passed)[number]).cursor, record) > 0) high = middle;
    else low = middle + 1;
  }
  return passed[low]?.at;
}

/** What a calm world still waits for; empty once every stream has come to its end. */
export function waiting(model: Model, storage: Storage, now: number): string[] {
  model.look();
  const waits: string[] = [];
  for (const { id, deletedAt, wishes } of model.streams.values()) {
    const document = wishes.at(-1)?.document;
    // A call that began in trouble may have paused it since. Records that it keeps would be forgotten by the model.
    if (deletedAt === undefined && document?.desired === 'paused' && document.takenOverBy === undefined)
      waits.push(`${id} is paused`);
  }
  for (const stream of running(model)) {
    const { progress } = stream;
    waits.push(...unfinished(stream, model, storage));
    if (!progress) {
      waits.push(`${stream.id} has not begun`);
      continue;
    }
    const open = [...missing(stream, model, storage, now), ...uncounted(stream, progress, model, now)];
    if (progress.pending > 0 || open.length > 0 || progress.status.state !== 'running')
      waits.push(
        `${stream.id} is ${progress.status.state} (${progress.status.message}), pending ${progress.pending}, ` +
          `cursor ${progress.cursor.sequence}.${progress.cursor.index}, not accounted for: ${open.slice(0, 5)}`,
      );
  }
  return waits;
}

const running = (model: Model) =>
  [...model.streams.values()].filter(
    ({ deletedAt, wishes }) => deletedAt === undefined && wishes.at(-1)?.document.desired === 'running',
  );

/** Records that the stream surely wants, that the log still has, and that nothing has become of. */
function missing(stream: StreamModel, model: Model, storage: Storage, now: number): number[] {
  const found: number[] = [];
  for (const record of model.records.values()) {
    if (record.damaged || stream.taken.has(record.id)) continue;
    if (stream.quarantined.has(`${record.sequence}-${record.index}`)) continue;
    if (record.sequence < storage.extent(record.partition).first) continue;
    const possible = verdicts(stream, record, now);
    if (possible.size === 1 && possible.has('wanted')) found.push(record.id);
  }
  return found;
}

/** Records that came to the stream and that its durable progress has not passed: a node that crashed may have sent them. */
function uncounted(stream: StreamModel, progress: ProgressDocument, model: Model, now: number): number[] {
  const { cursor, done = [] } = progress;
  return [...model.records.values()]
    .filter((record) => !record.damaged && !hasFate({ cursor, done }, record))
    .filter((record) => !verdicts(stream, record, now).has('uncovered'))
    .map(({ id }) => id);
}

/** Compares what every stream has done since the last check with what it had to do. The world is calm and has settled. */
export function check(model: Model, storage: Storage, now: number): Finding[] {
  const findings: Finding[] = [];
  for (const stream of running(model))
    findings.push(...checkFates(stream, model, storage, now), ...checkOrder(stream, model, now));
  return findings;
}

function checkFates(stream: StreamModel, model: Model, storage: Storage, now: number): Finding[] {
  const findings: Finding[] = [];
  const find = (kind: string, text: string) => findings.push({ kind, text: `${stream.id}: ${text}` });
  const sure = { wanted: 0, filtered: 0 };
  let either = 0;
  let unsure = 0;
  let unseen = 0;
  let takenForSure = 0;
  const arrived: Kept[] = [];
  for (const record of model.records.values()) {
    const possible = verdicts(stream, record, now);
    const taken = stream.taken.has(record.id);
    if (!possible.has('uncovered')) arrived.push(record);
    if (taken && !possible.has('wanted'))
      find('not wanted', `${record.id} was delivered and is ${[...possible]}`);
    const isThere = !record.damaged && record.sequence >= storage.extent(record.partition).first;
    // Which of the two it is depends on when the filter changed: but it is one of them.
    if (possible.size > 1 && !possible.has('uncovered') && isThere) either++;
    else if (possible.size > 1 || (record.damaged && !possible.has('uncovered'))) unsure++;
    else if (possible.has('wanted')) {
      sure.wanted++;
      if (taken) takenForSure++;
      else if (!stream.quarantined.has(`${record.sequence}-${record.index}`)) {
        unseen++;
        if (record.sequence >= storage.extent(record.partition).first)
          find('lost', `${record.id} is nowhere`);
      }
    } else if (possible.has('filtered')) {
      // Of what went with the retention before the stream saw it, not all is counted as filtered.
      if (record.sequence >= storage.extent(record.partition).first) sure.filtered++;
      else unsure++;
    }
  }
  const done = counted(stream.progress, stream.base);
  const sum = done.delivered + done.filtered + done.quarantined + done.expired;
  const least = sure.wanted + sure.filtered + either;
  const account = `${JSON.stringify(done)} of ${sure.wanted} wanted, ${sure.filtered} filtered, ${either} either, ${unsure} unsure, ${unseen} unseen, ${takenForSure} taken`;
  if (sum < least || sum > least + unsure) find('accounts', `they do not balance: ${account}`);
  if (done.expired + unsure < unseen) find('accounts', `more is missing than has expired: ${account}`);
  if (done.delivered > takenForSure + either + unsure)
    find('accounts', `more is counted than was taken: ${account}`);
  // Which hours the records of a gap arrived in is an estimate.
  if (unsure === 0 && done.expired === 0)
    for (const text of wrongHours(stream, arrived)) find('ledger', text);
  const { progress } = stream;
  if (progress && progress.pending !== 0)
    find('accounts', `pending is ${progress.pending} with nothing left to do`);
  if (progress && progress.pending === 0 && progress.oldestPendingAt !== null)
    find('accounts', 'nothing waits, since some time');
  return findings;
}

/** The ledger has each record under the hour in which it arrived. @param arrived what the stream was to see since the last check */
function wrongHours(stream: StreamModel, arrived: readonly Kept[]): string[] {
  const fates = new Map<number, number>();
  const add = (sign: number) => (row: HourRow) => {
    const sum = row.delivered + row.filtered + row.quarantined + row.expired;
    fates.set(row.hour, (fates.get(row.hour) ?? 0) + sign * sum);
  };
  hoursOf(stream).forEach(add(1));
  stream.baseHours.forEach(add(-1));
  const came = Map.groupBy(arrived, ({ arrivedAt }) => hourOf(arrivedAt));
  return [...new Set([...fates.keys(), ...came.keys()])].flatMap((hour) => {
    const [sum, records] = [fates.get(hour) ?? 0, came.get(hour)?.length ?? 0];
    const at = new Date(hour).toISOString();
    return sum === records ? [] : [`${records} records arrived in the hour of ${at}, the ledger has ${sum}`];
  });
}

function counted(now: ProgressDocument | undefined, before: ProgressDocument | undefined) {
  const difference = (name: keyof ProgressDocument['counters']) =>
    (now?.counters[name] ?? 0) - (before?.counters[name] ?? 0);
  return {
    delivered: difference('delivered'),
    filtered: difference('filtered'),
    quarantined: difference('quarantined'),
    expired: difference('expired'),
  };
}

/**
 * Within a lane first arrivals come in the order of the log, but for what the receiver itself declined, and for records that
 * only one of two filters passes: where the filter changes, such a record may be taken after later ones that both pass.
 */
function checkOrder(stream: StreamModel, model: Model, now: number): Finding[] {
  const inOrder = [...model.records.values()]
    .filter(({ id }) => stream.taken.has(id) && !stream.declined.has(id))
    .filter((record) => verdicts(stream, record, now).size === 1)
    .sort((a, b) => comparePositions(a, b));
  const latest = new Map<number, { readonly id: number; readonly order: number }>();
  for (const record of inOrder) {
    const lane = laneOf(stream, record.traits.endpoint);
    const order = stream.taken.get(record.id) as number;
    const before = latest.get(lane);
    if (before && order < before.order)
      return [
        {
          kind: 'order',
          text: `${stream.id}: ${before.id} was taken before ${record.id}, which was not declined`,
        },
      ];
    if (!before || order > before.order) latest.set(lane, { id: record.id, order });
  }
  return [];
}
