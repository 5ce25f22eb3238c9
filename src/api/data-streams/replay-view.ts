import { Type } from 'typebox';
import { ApiError } from '../../errors.ts';
import { showNumbers } from '../../filters/sent-number.ts';
import { KINDS, type RecordKind } from '../../records/kinds.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  type ReplayDocument,
  replayEnded,
} from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { FieldReader } from './body.ts';
import { Filters, LastError, Progress, StatusView, Time } from './schema.ts';
import { successorOf } from './take-over.ts';
import { iso, showLastError, showProgress, showState } from './view.ts';

/** The stored document of a replay, and its form in answers. */
export const ReplayView = Type.Object(
  {
    id: Type.String(),
    from: Time('Records that arrived since then.'),
    until: Time('Records that arrived before then.'),
    filters: Filters,
    max_records_per_second: Type.Union([Type.Integer(), Type.Null()]),
    status: StatusView,
    progress: Progress,
    last_error: LastError,
    created: Time('When it was created.'),
  },
  { 'x-component': 'Replay' },
);

/** @throws ApiError NotFound */
export function replayOf(stream: DataStreamDocument, id: string): ReplayDocument {
  const replay = stream.replays?.find((each) => each.id === id);
  if (!replay) throw new ApiError('NotFound', `Data stream ${stream.id} has no replay ${id.slice(0, 64)}.`);
  return replay;
}

/** Of the progress of a stream's replay. */
export const jobKey = (stream: DataStreamDocument, name: string) => progressKey({ ...stream, job: { name } });

export async function progressOf(registry: Registry, stream: DataStreamDocument, id: string) {
  return (await PROGRESS.get(registry, jobKey(stream, id)))?.document;
}

/** @throws ApiError InvalidState when a replay that is not finished has filters that mean nothing in records of this kind */
export async function mustFitReplays(
  registry: Registry,
  stream: DataStreamDocument,
  kind: RecordKind,
): Promise<void> {
  for (const replay of stream.replays ?? []) {
    const reader = new FieldReader();
    reader.filters(replay.filters, kind);
    if (reader.faults.length === 0) continue;
    if (replayEnded(replay, await progressOf(registry, stream, replay.id))) continue;
    const message = `The filters of replay ${replay.id} mean nothing in ${KINDS[kind].words}: delete it first, or let it finish.`;
    throw new ApiError('InvalidState', message);
  }
}

const FINISHED = { id: 5, description: 'Finished' };
/** Statuses that simstream sets itself: a call cannot ask for them. */
const STATES_BY_THEMSELVES = [showState('error'), showState('pending'), FINISHED];

export const takenOverBy = (id: string) =>
  `Data stream ${id} has taken over from this one, which no longer delivers: create a replay of ${id}.`;

export async function showReplay(registry: Registry, stream: DataStreamDocument, replay: ReplayDocument) {
  const progress = await progressOf(registry, stream, replay.id);
  const by = await successorOf(registry, stream);
  return {
    id: replay.id,
    from: replay.fromTime,
    until: replay.untilTime,
    filters: showNumbers(replay.filters),
    max_records_per_second: replay.recordsPerSecond ?? null,
    status: statusOf(stream, replay, progress, by),
    progress: showProgress(progress),
    last_error: showLastError(progress?.lastError),
    created: replay.created,
  };
}

/**
 * A replay as an answer shows it is a valid change of it, in every state, and changes nothing: a status that came
 * from an answer counts as not given. It has its description; without one, only an id that cannot be wished for is
 * certain to be one.
 */
export function isFromAnswer(
  { id, description }: { readonly id: number | string; readonly description?: unknown },
  shown: { readonly id: number; readonly description: string },
): boolean {
  if (Number(id) === shown.id && (description === shown.description || shown.id > 2)) return true;
  return STATES_BY_THEMSELVES.some((state) => state.id === Number(id) && state.description === description);
}

function statusOf(
  stream: DataStreamDocument,
  replay: ReplayDocument,
  progress: ProgressDocument | undefined,
  by: string | undefined,
) {
  const since = iso(progress?.status.since ?? Date.parse(replay.created));
  if (replayEnded(replay, progress)) {
    const message = 'All records of the range were delivered, quarantined, or did not pass the filters.';
    return { ...FINISHED, message, since };
  }
  if (replay.desired === 'paused' || stream.desired === 'paused') {
    const paused = replay.desired === 'paused' ? 'Paused.' : 'Paused with its data stream.';
    const message = by === undefined ? paused : takenOverBy(by);
    return { ...showState('paused'), message, since };
  }
  if (!progress || progress.generation < stream.generation + replay.generation)
    return { ...showState('pending'), message: 'The replay is being started.', since };
  return { ...showState(progress.status.state), message: progress.status.message, since };
}
