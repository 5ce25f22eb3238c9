import { type DataStreamDocument, streamKey } from '../../registry/data-stream.ts';
import type { Stored } from '../../registry/documents.ts';
import { addStateChange } from '../../registry/history.ts';
import { storeHours } from '../ledger/store.ts';
import type { QuarantineStore } from '../quarantine/store.ts';
import type { StreamContext, StreamSummary } from '../stream/stream-context.ts';
import { isOvertaken, type Stream } from './partition-stream.ts';
import { coverage } from './routing.ts';
import type { StreamsContext } from './runner-context.ts';
import { readStreamDocuments, type StreamDocuments } from './stream-documents.ts';
import { type TakenOver, takeOver } from './take-over.ts';
import { untilAnswered } from './until-answered.ts';

interface Surroundings {
  readonly context: StreamsContext;
  readonly quarantine: QuarantineStore;
  /** The partition's stream whose document has this key. */
  streamOf(key: string): Stream | undefined;
  /** Owns the work in the background. */
  track(promise: Promise<unknown>): void;
}

/** The parts of the runner, and of the other streams of its partition, that a pump needs. */
export function pumpContext(around: Surroundings, stream: Stream): StreamContext {
  const { context, streamOf, quarantine } = around;
  const { log, clock, random, settings, budgets, telemetry, tree } = context;
  // Neither of them ever changes.
  const key = streamKey(stream.summary.organisationId, stream.summary.id);
  return {
    partition: context.partition,
    permit: context.permit,
    log,
    clock,
    timeOfHours: context.timeOfHours,
    random,
    settings,
    budgets,
    dispatched: () => context.dispatched(),
    coverage: (summary, block) => coverage(tree, summary, block),
    load: (stop) => load(around, stream, stop),
    open: (document) => context.open(document),
    changed: () => {
      if (streamOf(key)) context.committer()?.changed(stream);
    },
    committed: () => context.committer()?.committed(stream) ?? Promise.resolve(false),
    quarantine: async (summary, records) => {
      const outcome = await quarantine.add(summary, records);
      if (outcome.type === 'stored') telemetry.recordsQuarantined(summary, records.length, records[0]?.cause);
      return outcome;
    },
    keepHours: (summary, hours) =>
      storeHours(context.registry, summary, context.epoch, hours).catch(() => false),
    expired: (summary, records) => telemetry.recordsExpired(summary, records),
    lowered: (by) => telemetry.concurrencyLowered(by),
    stepped: context.stepped,
    attempted: (attempt) => telemetry.attempted(attempt),
    stateChanged: (summary, change) => stateChanged(around, summary, change),
    fault: (message, summary) => telemetry.deliveryFault(message, summary),
  };
}

async function load(
  around: Surroundings,
  stream: Stream,
  stop: AbortSignal,
): Promise<StreamDocuments | undefined> {
  const { context } = around;
  let documents = await read(around, stream, stop);
  const { continueFrom } = documents?.document ?? {};
  if (documents && !documents.progress && continueFrom !== undefined && !stream.of) {
    const taken = await takeOverOther(around, documents.document, stop);
    if (!taken || taken.type === 'undone') return undefined;
    // It may have changed while it waited for the other stream.
    documents = await read(around, stream, stop);
  }
  // If this process was suspended past its lease, the progress is its successor's: with its revision we would overwrite it.
  if ((documents?.progress?.epoch ?? 0) > context.epoch) {
    context.fenced();
    return undefined;
  }
  if (documents && !stream.pump?.progress) stream.revision = documents.progressRevision;
  const { progress } = documents ?? {};
  if (!documents || !progress || !isOvertaken(stream, progress, context.epoch)) return documents;
  return { ...documents, overtaken: true };
}

function read(around: Surroundings, stream: Stream, stop: AbortSignal): Promise<StreamDocuments | undefined> {
  const { context, streamOf } = around;
  const { registry, clock } = context;
  const key = streamKey(stream.summary.organisationId, stream.summary.id);
  const own = stream.of ?? stream;
  const known = () => (streamOf(key) === own ? own.summary.revision : undefined);
  return answerOf(context, () => readStreamDocuments(registry, clock, stream.summary, known, stop), stop);
}

function takeOverOther(
  { context, streamOf }: Surroundings,
  document: DataStreamDocument,
  stop: AbortSignal,
): Promise<TakenOver | undefined> {
  const { registry, clock, epoch } = context;
  const ended = async (old: Stored<DataStreamDocument>): Promise<boolean> => {
    const other = streamOf(old.key);
    if (!other?.pump?.settled || other.summary.revision < old.revision) return false;
    return (await context.committer()?.committed(other)) ?? false;
  };
  return answerOf(context, () => takeOver({ registry, clock, epoch, ended }, document, stop), stop);
}

function answerOf<T>(
  { clock, partition, telemetry }: StreamsContext,
  ask: () => T,
  stop: AbortSignal,
): Promise<Awaited<T> | undefined> {
  const waiting = (cause: string) => telemetry.deliveryFault(`partition ${partition} waits: ${cause}`);
  return untilAnswered(ask, clock, waiting, stop);
}

function stateChanged(
  { context, track }: Surroundings,
  stream: StreamSummary,
  { state, message, from, byItself }: Parameters<StreamContext['stateChanged']>[1],
): void {
  // A job's state is in the job's document; the stream shows the state of its live job.
  if (stream.job) return;
  const { clock, registry, telemetry } = context;
  telemetry.stateChanged(stream, state, message);
  // Pausing, resuming and restarting are recorded by the API, which knows the person.
  if (state !== 'error' && !byItself && !(from === 'pending' && state === 'running')) return;
  const words = byItself ? 'The destination takes records again.' : message;
  const change = { at: clock.now(), state, message: words, actor: 'simstream' };
  track(addStateChange(registry, stream.organisationId, stream.id, change));
}
