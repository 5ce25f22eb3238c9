import { RecordReader } from '../records/record-reader.ts';
import { type RecordFault, scanBody } from '../records/scan.ts';
import type { Ingest, IngestOutcome, IngestRequest } from './ingest.ts';
import type { CountedSessions, KeptSessions } from './mapping/kept-sessions.ts';
import type { Mapping } from './mapping/map-record.ts';

/** The faults of reports, by the place among the reports. */
export type RefusedReports = ReadonlyMap<number, Pick<RecordFault, 'path' | 'message'>>;

/** Records, one a line, made of reports. */
interface Counted {
  readonly body: Uint8Array;
  /** Of each record of the body, its place among the reports. */
  readonly indexes: readonly number[];
}

interface ReportsParts {
  readonly ingest: Pick<Ingest, 'accept'>;
  readonly kept: KeptSessions;
  readonly mapping: Mapping;
  /** The options with which the records are accepted. */
  readonly request: Pick<IngestRequest, 'skipInvalid' | 'ticket'>;
}

/** More than once only if the loss of one report makes the next one invalid. */
const MOST_ROUNDS = 5;

/**
 * Stores the increments of reports to the counters of their sessions. A report with an invalid record is not counted,
 * so that the next report of its session adds its increment, too.
 * @param convert makes the records, without the reports that are refused
 * @throws the errors of `convert`; StoreUnavailable
 */
export async function countReports<C extends Counted>(
  { ingest, kept, mapping, request }: ReportsParts,
  convert: (sessions: CountedSessions, refused: RefusedReports) => Promise<C>,
): Promise<{ readonly converted: C; readonly outcome: IngestOutcome }> {
  const { kind } = mapping;
  const append = (body: Uint8Array, key: string) =>
    ingest.accept({ kind, body, format: 'ndjson', skipInvalid: true, idempotencyKey: key });
  return kept.inTurn(mapping.name, append, async (turn) => {
    const refused = new Map<number, Pick<RecordFault, 'path' | 'message'>>();
    for (let round = 1; ; round++) {
      const sessions = turn.begin();
      const converted = await convert(sessions, refused);
      const { body, indexes } = converted;
      if (request.skipInvalid && round < MOST_ROUNDS) {
        const { rejected, faults } = await scanBody(new RecordReader(kind), body, 'ndjson');
        const known = new Map(faults.map((fault) => [fault.index, fault]));
        for (const index of rejected)
          refused.set(indexes[index] as number, known.get(index) ?? { path: '', message: 'is not valid' });
        if (rejected.length > 0) continue;
      }
      if (indexes.length === 0) {
        await turn.storeAlone(sessions);
        return { converted, outcome: NOTHING_STORED };
      }
      const outcome = await turn.store(sessions, (key) =>
        ingest.accept({
          kind,
          body,
          format: 'ndjson',
          skipInvalid: false,
          idempotencyKey: key,
          ...(request.ticket ? { ticket: request.ticket } : {}),
        }),
      );
      return { converted, outcome };
    }
  });
}

const NOTHING_STORED: IngestOutcome = {
  type: 'accepted',
  accepted: 0,
  rejected: 0,
  indexes: [],
  faults: [],
  repeated: false,
};
