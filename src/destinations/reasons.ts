import type { Outcome } from './contract.ts';
import { quoted } from './quoted.ts';

/** An outcome other than delivery. */
type FailureType = Exclude<Outcome['type'], 'delivered' | 'partial'>;

/** A service's answer to a request that it refused. */
export interface Answered {
  readonly status: number;
  /** The service's own code; '' if it gives none. */
  readonly code: string;
  /** The service's own words, on one line. */
  readonly words: string;
}

/**
 * One reason for a refusal, recognised by the service's answer, and its consequence. A service has a table of these; the
 * first matching row counts. The table's test gives each example to the connector, and the guide shows it.
 */
export interface Reason<Context> {
  /** An answer of the service. */
  readonly example: Answered;
  /** The answer must match each given condition. */
  readonly status?: readonly number[];
  readonly code?: RegExp;
  readonly words?: RegExp;
  /** The engine's reaction. */
  readonly type: FailureType;
  /** With `retry`: the service knows the caller and is throttling it. */
  readonly throttled?: true;
  /** The code of the cause; default: the service's own. */
  readonly as?: string;
  /** What happened and the next step, for the customer. */
  readonly advice: (context: Context) => string;
}

export function reasonOf<Context>(
  table: readonly Reason<Context>[],
  { status, code, words }: Answered,
): Reason<Context> | undefined {
  return table.find(
    (row) =>
      (row.status?.includes(status) ?? true) &&
      (row.code?.test(code) ?? true) &&
      (row.words?.test(words) ?? true),
  );
}

/** A failure with the advice of a reason, followed by the service's own words. */
export function failureOf<Context>(
  { type, throttled, as, advice }: Reason<Context>,
  { status, code, words }: Answered,
  context: Context,
  vendor: string,
  afterMs?: number,
): Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }> {
  const said = words ? ` ${code === 'foreign_answer' ? 'It' : vendor} said: ${quoted(words)}` : '';
  const message = `${advice(context)}${said}`;
  const cause = { code: as ?? (code || `http_${status}`), message, remoteStatus: status };
  if (type !== 'retry') return { type, cause };
  return {
    type,
    cause,
    ...(throttled ? { throttled } : {}),
    ...(afterMs === undefined ? {} : { afterMs }),
  };
}

/** Answers with the same meaning from every service: a busy gateway, a gateway timeout, a request that is too large. */
const SAME_FOR_ALL = [408, 413, 429];

/**
 * Whether something between simstream and the service answered: the services of a cloud answer in their own form. A page with
 * a success status is foreign too: the service has not seen the records.
 */
export function isForeign(status: number, text: string): boolean {
  if (status >= 500 || SAME_FOR_ALL.includes(status)) return false;
  return PAGE.test(text);
}

/** The beginning of an HTML page, with what may stand before it: a byte order mark, an XML declaration, comments. */
const PAGE = /^\uFEFF?\s*(<\?xml[^>]{0,100}\?>\s*)?(<!--[^>]{0,500}-->\s*)*(<!doctype\s+html\b|<html\b)/i;
