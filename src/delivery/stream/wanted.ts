import { bothFilters } from '../../filters/both.ts';
import { type CompiledFilter, compileFilter } from '../../filters/compile.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Wanted } from './events.ts';
import type { SideJob } from './state.ts';
import type { StreamSummary } from './stream-context.ts';

/** The parts of a data stream's documents that the machine needs. */
export function wantedOf(stream: StreamSummary): Wanted {
  const { desired, generation, revision, kind, relation, filters, job, former, autoRestart = false } = stream;
  const more = [...(job?.also ? [job.also] : []), ...(former ?? [])];
  return {
    desired,
    generation,
    revision,
    autoRestart,
    selecting: JSON.stringify([kind, relation, filters, ...more]),
  };
}

/** The summary of the document, if it is newer than the one from the watch. */
export function withDocument(
  stream: StreamSummary,
  document: DataStreamDocument,
  revision: number,
): StreamSummary {
  const { kind, relation, filters, desired, generation, autoRestart, former } = document;
  const { autoRestart: _, former: __, ...rest } = stream;
  const wishes = { kind, relation, filters, desired, generation, revision, ...(former ? { former } : {}) };
  const live: StreamSummary = { ...rest, ...wishes, ...(autoRestart ? { autoRestart } : {}) };
  return stream.job ? besideLive(live, stream.job) : live;
}

/** The stream as a job beside the live one delivers it. */
export function besideLive(stream: StreamSummary, job: SideJob): StreamSummary {
  const { former: _, ...wishes } = stream;
  return {
    ...wishes,
    start: job.from,
    filters: job.filters ?? stream.filters,
    desired: job.desired === 'paused' ? 'paused' : stream.desired,
    generation: stream.generation + (job.generation ?? 0),
    job,
  };
}

/** Equal texts: the destination is reached and asked in the same way. A restart changes the text. */
export function destinationText(document: DataStreamDocument): string {
  const { sealedCredentials, connectionType, format, delivery = null, privacy, generation } = document;
  const way = [sealedCredentials, connectionType, format, delivery, ...(privacy ? [privacy] : [])];
  return `${generation} ${JSON.stringify(way)}`;
}

/** Whether two such texts name different destinations, and not only a restart. */
export function isElsewhere(before: string, after: string): boolean {
  return before.slice(before.indexOf(' ')) !== after.slice(after.indexOf(' '));
}

/** The filter of the stream, joined with that of its job if it has one. */
export function filterOf({ filters, job }: StreamSummary): CompiledFilter {
  const own = compileFilter(filters);
  return job?.also ? bothFilters(own, compileFilter(job.also)) : own;
}
