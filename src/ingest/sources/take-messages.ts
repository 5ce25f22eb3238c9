import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import type { RecordKind } from '../../records/kinds.ts';
import { LARGE } from '../admission.ts';
import type { Ingest } from '../ingest.ts';
import { writeExact } from '../mapping/exact.ts';
import { LARGEST_INPUT, partsOf, readInputs, UnreadableInput } from '../mapping/inputs.ts';
import { JsonElements } from '../mapping/json-elements.ts';
import type { KeptSessions } from '../mapping/kept-sessions.ts';
import type { Mapping } from '../mapping/map-record.ts';
import type { Message, Rejected } from './message.ts';
import { takeReports } from './take-reports.ts';

/**
 * Stores the records of messages from a source. A message holds one record, a list, or one record a line; with a mapping,
 * records of another platform in the form that the mapping reads.
 *
 *  T1  A message is done when its valid records are durable and the invalid ones are published as rejected. Only then may it be
 *      acknowledged. Only the stop ends the wait for that.
 *  T2  Messages that are taken together are stored in their order.
 *  T3  A message that cannot be read to its end is published as rejected as a whole, and none of its records is stored.
 */
export interface TakeParts {
  readonly ingest: Pick<Ingest, 'accept'>;
  readonly kind: RecordKind;
  readonly mapping: Mapping | undefined;
  /** For a mapping with cumulative counters. */
  readonly kept?: KeptSessions | undefined;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Keeps what cannot be stored aside; resolves when it is safe there. */
  reject(rejected: readonly Rejected[]): Promise<void>;
  taken(event: { readonly messages: number; readonly rejected: number }): void;
  /** Reports in words why the source waits; called again and again while it lasts. */
  waiting(message: string): void;
}

/** A record on one line of the body. */
interface Line {
  readonly bytes: Buffer;
  readonly message: Message;
}

/** @throws the reason of `signal` when it aborts: then the messages must not be acknowledged */
export async function takeMessages(
  parts: TakeParts,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<void> {
  const { mapping, kept } = parts;
  if (mapping?.cumulative && kept) {
    const rejected = await takeReports({ ...parts, mapping, kept }, messages, signal);
    if (rejected.length > 0) await keepAside(parts, rejected, signal);
    return parts.taken({ messages: messages.length, rejected: rejected.length });
  }
  const rejected: Rejected[] = [];
  const lines: Line[] = [];
  for (const message of messages) {
    const read = await linesOf(parts.mapping, message);
    if (!Array.isArray(read)) rejected.push(read);
    else
      for (const one of read) {
        if ('bytes' in one) lines.push(one);
        else rejected.push(one);
      }
  }
  for (const portion of portionsOf(lines)) {
    // Nothing is written for a portion without a valid record: it would not wait for anything.
    await nextTurn();
    // There may be more of them than a call has room for arguments.
    for (const one of await store(parts, portion, signal)) rejected.push(one);
  }
  if (rejected.length > 0) await keepAside(parts, rejected, signal);
  parts.taken({ messages: messages.length, rejected: rejected.length });
}

/** Tiny records cost more than their bytes. So many take some milliseconds. */
const PORTION_LINES = 10_000;

/** Small bodies, which the node takes also beside large requests of other producers. */
function* portionsOf(lines: readonly Line[]): Generator<readonly Line[]> {
  let from = 0;
  let bytes = 0;
  for (const [at, line] of lines.entries()) {
    bytes += line.bytes.length + END.length;
    if ((bytes > LARGE || at - from >= PORTION_LINES) && at > from) {
      yield lines.slice(from, at);
      from = at;
      bytes = line.bytes.length + END.length;
    }
  }
  yield lines.slice(from);
}

/** The records of a message; or the reason why it cannot be read to its end. */
async function linesOf(
  mapping: Mapping | undefined,
  message: Message,
): Promise<(Line | Rejected)[] | Rejected> {
  const { payload, place } = message;
  const whole = (fault: string): Rejected => ({ place, path: '', message: fault, text: textOf(payload) });
  if (!mapping) {
    const elements = new JsonElements(LARGEST_INPUT);
    const found: Line[] = [];
    for await (const part of partsOf(payload))
      for (const { bytes } of elements.add(part)) found.push({ bytes: onOneLine(bytes), message });
    elements.end();
    if (elements.fault !== undefined) return whole(elements.fault);
    return found.length > 0 ? found : whole('the message has no record');
  }
  const lines: (Line | Rejected)[] = [];
  try {
    for await (const read of readInputs(mapping, partsOf(payload))) {
      if ('fault' in read) {
        lines.push({ place, path: '', message: read.fault, text: read.text });
        continue;
      }
      const mapped = mapping.map(read.input);
      if (mapped.type === 'record') lines.push({ bytes: Buffer.from(mapped.text), message });
      else if (mapped.type === 'fault')
        lines.push({ place, path: mapped.path, message: mapped.message, text: writeExact(read.input) });
    }
  } catch (error) {
    if (error instanceof UnreadableInput) return whole(error.message);
    throw error;
  }
  return lines;
}

/**
 * Between the values of JSON, a line feed is white space, and so is a tab. In a text neither may stand: a record that has one there
 * stays invalid.
 */
function onOneLine(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) bytes[at] = TAB;
  return bytes;
}

/**
 * Stores the valid records, however long that takes.
 * @returns the others
 */
async function store(parts: TakeParts, lines: readonly Line[], signal: AbortSignal): Promise<Rejected[]> {
  if (lines.length === 0) return [];
  for (;;) {
    signal.throwIfAborted();
    const body = Buffer.concat(lines.flatMap(({ bytes }) => [bytes, END]));
    const { kind, ingest, clock } = parts;
    const outcome = await ingest.accept({ kind, body, format: 'ndjson', skipInvalid: true });
    switch (outcome.type) {
      case 'accepted': {
        const faults = new Map(outcome.faults.map((fault) => [fault.index, fault]));
        return outcome.indexes.map((index) => {
          const { bytes, message } = lines[index] as Line;
          const fault = faults.get(index) ?? { path: '', message: 'is not valid' };
          return { place: message.place, path: fault.path, message: fault.message, text: textOf(bytes) };
        });
      }
      case 'busy':
        parts.waiting(outcome.cause);
        await clock.sleep(outcome.retryAfter * 1000, signal);
        break;
      default: {
        // The message has too many invalid records to name them all.
        const half = Math.ceil(lines.length / 2);
        const first = await store(parts, lines.slice(0, half), signal);
        return [...first, ...(await store(parts, lines.slice(half), signal))];
      }
    }
  }
}

async function keepAside(
  { reject, waiting, clock }: TakeParts,
  rejected: readonly Rejected[],
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    try {
      return await reject(rejected);
    } catch (error) {
      waiting(
        `invalid records cannot be published as rejected: ${error instanceof Error ? error.message : error}`,
      );
      await clock.sleep(Math.min(1000 * 2 ** tries, LONGEST_PAUSE_MS), signal);
    }
  }
}

/**
 * A rejected record as the body of a message: `place`, `path`, `message`, and the record as text. As JSON a text can be longer
 * than the message with which it came, so it may be cut: a message that nobody takes would block those behind it for ever.
 * @param mostBytes of the body
 */
export function rejectedText(
  source: string,
  { place, path, message, text }: Rejected,
  mostBytes = Number.POSITIVE_INFINITY,
): string {
  const whole = JSON.stringify({ source, place, path, message, record: text });
  if (Buffer.byteLength(whole) <= mostBytes) return whole;
  const cut = (record: string) => JSON.stringify({ source, place, path, message, cut: true, record });
  const room = mostBytes - Buffer.byteLength(cut(''));
  return cut(text.slice(0, Math.max(0, Math.floor(room / LONGEST_CHARACTER))));
}

const LONGEST_PAUSE_MS = 30_000;
/** Bytes of a character in JSON, where it is an escape. */
const LONGEST_CHARACTER = 6;
const LINE_FEED = 0x0a;
const TAB = 0x09;
const END = Buffer.from('\n');

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
