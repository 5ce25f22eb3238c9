import { StoreUnavailable } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { Slices } from '../../lib/slices.ts';
import { countReports, type RefusedReports } from '../count-reports.ts';
import type { Ingest } from '../ingest.ts';
import { writeExact } from '../mapping/exact.ts';
import { partsOf, readInputs, UnreadableInput } from '../mapping/inputs.ts';
import { type CountedSessions, type KeptSessions, TooManySessions } from '../mapping/kept-sessions.ts';
import type { Mapping } from '../mapping/map-record.ts';
import type { Input } from '../mapping/source.ts';
import type { Message, Rejected } from './message.ts';

/**
 * Stores the increments of the reports of messages to the counters of their sessions, in the order of the messages. A
 * message that comes again adds nothing.
 */
interface ReportParts {
  readonly ingest: Pick<Ingest, 'accept'>;
  readonly kept: KeptSessions;
  readonly mapping: Mapping;
  readonly clock: Pick<Clock, 'sleep'>;
  waiting(message: string): void;
}

/** A report, or the reason why it cannot be read; with its message. */
interface Read {
  readonly place: string;
  readonly input: Input | undefined;
  readonly fault: string;
  readonly text: string;
}

/** As in an answer that names no time. */
const PAUSE_MS = 1_000;

/**
 * @returns what cannot be stored
 * @throws the reason of `signal` when it aborts
 */
export async function takeReports(
  parts: ReportParts,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Rejected[]> {
  const rejected: Rejected[] = [];
  const reports: Read[] = [];
  for (const message of messages) {
    const read = await readMessage(parts.mapping, message);
    if (!Array.isArray(read)) rejected.push(read);
    else for (const one of read) reports.push(one);
  }
  try {
    return [...rejected, ...(await store(parts, reports, signal))];
  } catch (error) {
    if (!(error instanceof TooManySessions)) throw error;
  }
  const [only] = messages;
  if (only && messages.length === 1) return [wholeOf(only, new TooManySessions().message)];
  const middle = Math.ceil(messages.length / 2);
  const first = await takeReports(parts, messages.slice(0, middle), signal);
  return [...first, ...(await takeReports(parts, messages.slice(middle), signal))];
}

async function readMessage(mapping: Mapping, message: Message): Promise<Read[] | Rejected> {
  const reports: Read[] = [];
  try {
    for await (const read of readInputs(mapping, partsOf(message.payload))) {
      const { place } = message;
      if ('fault' in read) reports.push({ place, input: undefined, fault: read.fault, text: read.text });
      else reports.push({ place, input: read.input, fault: '', text: writeExact(read.input) });
    }
    return reports;
  } catch (error) {
    if (error instanceof UnreadableInput) return wholeOf(message, error.message);
    throw error;
  }
}

/** @throws TooManySessions */
async function store(
  { ingest, kept, mapping, clock, waiting }: ReportParts,
  reports: readonly Read[],
  signal: AbortSignal,
): Promise<Rejected[]> {
  if (reports.length === 0) return [];
  const convert = (sessions: CountedSessions, refused: RefusedReports) =>
    convertReports(mapping, reports, sessions, refused);
  for (;;) {
    signal.throwIfAborted();
    let cause: string;
    let pause = PAUSE_MS;
    try {
      const request = { skipInvalid: true };
      const { converted, outcome } = await countReports({ ingest, kept, mapping, request }, convert);
      if (outcome.type === 'accepted') return converted.rejected;
      if (outcome.type === 'invalid') return reports.map((one) => rejectedOf(one, '', 'is not valid'));
      cause = outcome.type === 'busy' ? outcome.cause : 'The record log knows the key of another request.';
      if (outcome.type === 'busy') pause = outcome.retryAfter * 1000;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      cause = error.message;
    }
    waiting(cause);
    await clock.sleep(pause, signal);
  }
}

async function convertReports(
  mapping: Mapping,
  reports: readonly Read[],
  sessions: CountedSessions,
  refused: RefusedReports,
) {
  const texts: string[] = [];
  const indexes: number[] = [];
  const rejected: Rejected[] = [];
  const slices = new Slices();
  for (const [index, report] of reports.entries()) {
    await slices.add(report.text.length);
    const { input, fault } = report;
    const known = refused.get(index) ?? (input ? undefined : { path: '', message: fault });
    if (known) {
      rejected.push(rejectedOf(report, known.path, known.message));
      continue;
    }
    await sessions.load(mapping.sessionOf(input as Input));
    const mapped = mapping.map(input as Input, sessions);
    if (mapped.type === 'fault') rejected.push(rejectedOf(report, mapped.path, mapped.message));
    else if (mapped.type === 'record') {
      texts.push(mapped.text, '\n');
      indexes.push(index);
    }
  }
  return { body: Buffer.from(texts.join('')), indexes, rejected };
}

const rejectedOf = ({ place, text }: Read, path: string, message: string): Rejected => ({
  place,
  path,
  message,
  text,
});

const wholeOf = ({ place, payload }: Message, message: string): Rejected => ({
  place,
  path: '',
  message,
  text: Buffer.from(payload).toString('utf8'),
});
