import { Type } from 'typebox';
import { recordsOf } from '../../src/destinations/batch.ts';
import {
  type Batch,
  type BatchDestination,
  type DestinationEnvironment,
  defineDestination,
  type Outcome,
  type RecordFailure,
  TEST_MARK,
} from '../../src/destinations/contract.ts';
import { exchange } from '../../src/destinations/http/http-exchange.ts';
import { outcomeOfAnswer } from '../../src/destinations/http/http-outcome.ts';
import { verdictOf } from '../../src/destinations/verify.ts';

/** The store's own limits of a request. */
const MOST_LINES = 1_000;
const LARGEST_BODY = 2 ** 20;

const INDEX = /^[a-z0-9-]+$/;

/** A store that takes records as lines of JSON, and answers which lines it could not take. */
export const logStore = defineDestination({
  connectionType: 'LogStore',
  title: 'Log store',
  summary: 'Writes records as lines to an index of a log store.',
  icon: 'M4 5h16v14H4zM8 9h8M8 13h8',
  setup: [
    { text: 'In the log store, create a key that may write to your index.' },
    { text: 'Copy the key into the form.' },
  ],
  formats: ['Json'],
  credentials: Type.Object({
    url: Type.String({
      title: 'URL',
      description: 'Where the store is.',
      minLength: 1,
      maxLength: 2048,
      examples: ['https://logs.example.com'],
    }),
    index: Type.String({
      title: 'Index',
      description: 'Where records are written to.',
      minLength: 1,
      maxLength: 64,
      examples: ['usage'],
    }),
    key: Type.String({
      title: 'Key',
      description: 'A key that may write to it.',
      minLength: 8,
      maxLength: 256,
      examples: ['k-0123456789'],
      'x-secret': 'all',
    }),
  }),
  configure({ url, index, key }) {
    if (!URL.canParse(url)) return [{ path: '/url', message: 'is not a URL' }];
    if (!INDEX.test(index)) {
      return [{ path: '/index', message: 'is not the name of an index: small letters, digits and hyphens' }];
    }
    const base = new URL(url);
    // A header holds nothing else, so every send would fail.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      return [{ path: '/key', message: 'has characters that no key has; copy it again' }];
    }
    return {
      target: `${base.origin}/${index}`,
      identity: base.origin,
      gathering: { by: 'batch', records: MOST_LINES, bytes: LARGEST_BODY - MOST_LINES },
      open: (environment) => Promise.resolve(openLogStore(new URL(`/${index}/`, base), key, environment)),
    };
  },
});

function openLogStore(index: URL, key: string, environment: DestinationEnvironment): BatchDestination {
  const at = index.host;
  const context = () => ({ at, now: environment.clock.now(), secrets: [key] });
  const headers = ['authorization', `Key ${key}`, 'content-type', 'application/x-ndjson'];
  return {
    takes: 'batches',
    async verify(signal) {
      const result = await exchange({ method: 'GET', url: index, headers }, at, environment, signal);
      if (result.type === 'none') return { type: 'failed', cause: result.outcome.cause };
      const outcome = outcomeOfAnswer(result, context());
      if (outcome.type === 'partial') throw new Error('one answer is about one request');
      return verdictOf(outcome);
    },
    async send(batch, signal) {
      const marks = batch.test ? [TEST_MARK.toLowerCase(), 'true'] : [];
      const call = {
        method: 'POST',
        url: new URL('lines', index),
        headers: [...headers, ...marks],
        body: lines(batch),
        noting: batch.notes && { notes: batch.notes, secrets: [key] },
      } as const;
      const result = await exchange(call, at, environment, signal, {
        totalMs: 30_000,
        textBytes: LARGEST_BODY,
      });
      if (result.type === 'none') return result.outcome;
      return result.status === 200 ? takenLines(result.text, at) : outcomeOfAnswer(result, context());
    },
    close: () => Promise.resolve(),
  };
}

const NEW_LINE = Buffer.from('\n');

function lines(batch: Batch): Buffer {
  return Buffer.concat([...recordsOf(batch.segments)].flatMap((record) => [record, NEW_LINE]));
}

interface FailedLine {
  /** Counts from 0. */
  readonly line: number;
  /** There is no room now; otherwise the line can never be taken. */
  readonly full: boolean;
}

/** The answer is `{"failed":[{"line":0,"full":true}]}`. */
function takenLines(text: string, at: string): Outcome {
  const failed = readFailed(text);
  if (!failed)
    return { type: 'retry', cause: { code: 'invalid_answer', message: `${at} answered nonsense.` } };
  if (failed.length === 0) return { type: 'delivered', remoteStatus: 200 };
  const failures = failed.map(({ line, full }): RecordFailure => {
    if (full)
      return { index: line, verdict: 'retry', cause: { code: 'full', message: `${at} has no room.` } };
    return {
      index: line,
      verdict: 'reject',
      cause: { code: 'refused_line', message: `${at} refused the record.` },
    };
  });
  return { type: 'partial', failures };
}

function readFailed(text: string): FailedLine[] | undefined {
  try {
    const { failed } = JSON.parse(text) as { failed?: FailedLine[] };
    return Array.isArray(failed) ? failed : undefined;
  } catch {
    return undefined;
  }
}
