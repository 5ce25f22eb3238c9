import { backoffDelay } from '../../lib/backoff.ts';
import type { Clock, Random } from '../../lib/clock.ts';
import { KINDS, kindNamed, RECORD_KINDS, type RecordKind } from '../../records/kinds.ts';
import type { Ingest } from '../ingest.ts';
import type { KeptSessions } from '../mapping/kept-sessions.ts';
import type { Mapping } from '../mapping/map-record.ts';
import type { Source } from './source.ts';
import { takeMessages } from './take-messages.ts';

/** A source with the kind of its messages. */
export interface WantedSource {
  /** For people and metrics: `nats cdr.usage`. */
  readonly name: string;
  /** A kind of records, or the name of a mapping. */
  readonly holds: string;
  readonly source: Source;
}

interface SourcesParts {
  readonly ingest: Pick<Ingest, 'accept'>;
  readonly mappings: ReadonlyMap<string, Mapping>;
  /** For mappings with cumulative counters; undefined: the node cannot count reports. */
  readonly kept: KeptSessions | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: SourceTelemetry;
}

interface SourceTelemetry {
  messagesTaken(event: { source: string; messages: number; rejected: number }): void;
  sourceWaits(event: { source: string; message: string }): void;
}

interface Held {
  readonly kind: RecordKind;
  readonly mapping: Mapping | undefined;
}

/** A broker that is restarted is back within seconds; one with a wrong password is not asked more often than once a minute. */
const PAUSES = { base: 1_000, cap: 60_000 };

/**
 * The sources of an installation. Each belongs to a partition, and runs at the node that holds it: so one node reads it, and
 * another one goes on when that node is gone. Messages that were not acknowledged by then come again.
 * @returns the task that runs beside a partition
 * @throws Error in words for the operator when a setting names an unknown kind or mapping
 */
export function createSources(
  parts: SourcesParts,
  wanted: readonly WantedSource[],
  partitions: number,
): (partition: number, stop: AbortSignal) => Promise<void> {
  const sources = wanted.map((one) => ({ ...one, held: heldBy(one, parts) }));
  return async (partition, stop) => {
    const own = sources.filter((_, at) => at % partitions === partition);
    await Promise.all(own.map((one) => runSource(parts, one, stop)));
  };
}

function heldBy({ name, holds }: WantedSource, { mappings, kept }: SourcesParts): Held {
  const kind = kindNamed(holds);
  if (kind) return { kind, mapping: undefined };
  const mapping = mappings.get(holds);
  const kinds = RECORD_KINDS.map((each) => KINDS[each].name).join(', ');
  if (!mapping) {
    const known = [...mappings.keys()].join(', ') || 'none: SIMSTREAM_MAPPINGS names their directory';
    throw new Error(
      `The source ${name} holds ${holds}, which is neither a kind of records (${kinds}) nor a mapping (${known}).`,
    );
  }
  if (mapping.cumulative && !kept)
    throw new Error(
      `The source ${name} cannot use the mapping ${holds}: nodes that share NATS do not count the reports of a session together. Use simstream import --mapping with --state.`,
    );
  return { kind: mapping.kind, mapping };
}

async function runSource(
  { ingest, kept, clock, random, telemetry }: SourcesParts,
  { name, source, held }: WantedSource & { readonly held: Held },
  stop: AbortSignal,
): Promise<void> {
  let tries = 0;
  const waiting = (message: string) => telemetry.sourceWaits({ source: name, message });
  const taken = (event: { messages: number; rejected: number }) => {
    tries = 0;
    telemetry.messagesTaken({ source: name, ...event });
  };
  while (!stop.aborted) {
    try {
      await source(
        {
          clock,
          waiting,
          take: (messages, reject, signal) =>
            takeMessages({ ingest, kept, clock, ...held, reject, taken, waiting }, messages, signal),
        },
        stop,
      );
    } catch (error) {
      if (stop.aborted) return;
      waiting(error instanceof Error ? error.message : String(error));
    }
    await clock.sleep(backoffDelay(PAUSES, tries++, random, PAUSES.base), stop).catch(() => undefined);
  }
}
