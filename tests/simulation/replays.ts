import { changeStream } from '../../src/api/data-streams/store.ts';
import type { Position } from '../../src/log/log.ts';
import { type DataStreamDocument, type ReplayDocument, replayEnded } from '../../src/registry/data-stream.ts';
import type { Chance } from './chance.ts';
import { filtersFor, judge } from './matching.ts';
import { type Kept, LAG_MS, type Model, type StreamModel } from './model.ts';
import type { Desk } from './people.ts';
import { isWithin, type ReplayModel } from './replay-model.ts';
import type { Storage } from './storage.ts';
import { BEGINNING } from './time.ts';

const MOST_REPLAYS = 2;

/** Asks for a range of what the stream got since the last check, or of all that is to come until now. */
export async function startReplay(desk: Desk, id: string, chance: Chance): Promise<string> {
  const document = desk.model.streams.get(id)?.wishes.at(-1)?.document;
  if (!document || document.takenOverBy !== undefined) return 'none';
  const { next } = await desk.log.extent(document.partition);
  const first = desk.model.roundFrom(document.partition);
  if (next <= first) return 'nothing to replay';
  const from = chance.between(first, next - 1);
  const until: Position = chance.happens(0.7)
    ? { sequence: next, index: 0 }
    : { sequence: chance.between(from, next - 1), index: chance.between(1, 5) };
  const at = new Date(BEGINNING + desk.time.now).toISOString();
  const replay: ReplayDocument = {
    id: Buffer.from(chance.bytes(4)).toString('hex'),
    from: { sequence: from, index: 0 },
    until,
    fromTime: at,
    untilTime: at,
    filters: chance.happens(0.3) ? filtersFor(document.kind, chance) : [],
    ...(chance.happens(0.3) ? { recordsPerSecond: 50 } : {}),
    desired: 'running',
    generation: 1,
    created: at,
  };
  await changeStream(desk.registry, document.organisationId, id, async (stored) => {
    if (stored.takenOverBy !== undefined) return undefined;
    return { ...stored, replays: [...(stored.replays ?? []), replay].slice(-MOST_REPLAYS) };
  });
  return `${replay.id} ${from}-${until.sequence}.${until.index}`;
}

/** Pauses, resumes or cancels one of the stream's replays. */
export async function changeReplay(desk: Desk, id: string, chance: Chance): Promise<string> {
  const document = desk.model.streams.get(id)?.wishes.at(-1)?.document;
  const replays = document?.replays ?? [];
  if (!document || replays.length === 0) return 'none';
  const { id: name } = chance.pick(replays);
  const how = chance.pick(['paused', 'running', 'cancelled'] as const);
  const changed = (replay: ReplayDocument): readonly ReplayDocument[] => {
    if (replay.id !== name) return [replay];
    return how === 'cancelled' ? [] : [asDesired(replay, how)];
  };
  await changeStream(desk.registry, document.organisationId, id, async (stored) => ({
    ...stored,
    replays: (stored.replays ?? []).flatMap(changed),
  }));
  return `${name} ${how}`;
}

function asDesired(replay: ReplayDocument, desired: 'running' | 'paused'): ReplayDocument {
  return { ...replay, desired, generation: replay.generation + (desired === 'running' ? 1 : 0) };
}

/** With every replay that is paused or in Error made to run; undefined: all run. */
export function helped(
  document: DataStreamDocument,
  stream: StreamModel,
): readonly ReplayDocument[] | undefined {
  let changed = false;
  const replays = (document.replays ?? []).map((replay) => {
    const progress = stream.replays.get(replay.id)?.progress;
    if (replay.desired === 'running' && progress?.status.state !== 'error') return replay;
    if (replayEnded(replay, progress)) return replay;
    changed = true;
    return asDesired(replay, 'running');
  });
  return changed ? replays : undefined;
}

/** Replays of the stream that have not come to their end, in words. */
export function unfinished(stream: StreamModel, model: Model, storage: Storage): string[] {
  return [...stream.replays.values()].flatMap((each) => {
    const { replay, progress } = each;
    const missing = missingOf(stream, each, model, storage);
    if (replayEnded(replay, progress) && missing.length === 0) return [];
    const { status, cursor } = progress ?? {};
    return `replay ${replay.id} of ${stream.id} is ${status?.state} (${status?.message}), cursor ${cursor?.sequence}.${cursor?.index}, not sent: ${missing.slice(0, 5)}`;
  });
}

/** Records of the range that the log still has, that the stream surely wants, and that the replay has not delivered. */
function missingOf(stream: StreamModel, replay: ReplayModel, model: Model, storage: Storage): number[] {
  const missing: number[] = [];
  for (const record of model.records.values()) {
    if (record.partition !== stream.wishes[0]?.document.partition || !isWithin(replay, record)) continue;
    if (record.damaged || replay.taken.has(record.id)) continue;
    if (stream.quarantined.has(`${record.sequence}-${record.index}`)) continue;
    if (record.sequence < storage.extent(record.partition).first) continue;
    if (isSurelyWanted(stream, replay, record)) missing.push(record.id);
  }
  return missing;
}

function isSurelyWanted({ wishes }: StreamModel, { replay, since }: ReplayModel, { traits }: Kept): boolean {
  return wishes.every(({ document }, index) => {
    const until = wishes[index + 1]?.from ?? Number.POSITIVE_INFINITY;
    if (until + LAG_MS < since) return true;
    const also = { ...document, filters: replay.filters };
    return judge(document, traits) === 'wanted' && judge(also, traits) === 'wanted';
  });
}
