import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { type DataStreamDocument, HISTORY, STREAM, type StateChange } from '../registry/data-stream.ts';
import type { Registry } from '../registry/registry.ts';
import { rewriteAll } from './rewrite.ts';

/**
 * The masked credentials are stored in clear beside the sealed ones. Older versions masked less (nothing of a URL), so each
 * start masks the stored ones again by the current rules.
 */
interface RemaskParts {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Masks the clear parts of a data stream's document. Masking twice changes nothing. */
  mask(stream: Shown): Pick<DataStreamDocument, 'maskedCredentials' | 'target'>;
  /** Masks the URLs in a text. */
  maskText(text: string): string;
}

type Shown = Pick<DataStreamDocument, 'connectionType' | 'maskedCredentials' | 'target'>;

/**
 * Masks the documents of data streams and the messages of their histories.
 * @returns the number of written documents; undefined if `signal` aborted before the end
 */
export async function remaskStored(parts: RemaskParts, signal: AbortSignal): Promise<number | undefined> {
  const streams = await rewriteAll(parts, STREAM, ({ document }) => remasked(document, parts), signal);
  const histories = await rewriteAll(parts, HISTORY, ({ document }) => retold(document, parts), signal);
  return streams === undefined || histories === undefined ? undefined : streams + histories;
}

function remasked(document: DataStreamDocument, { mask }: RemaskParts): DataStreamDocument | undefined {
  const { maskedCredentials, target } = document;
  const masked = mask(document);
  return isDeepStrictEqual(masked, { maskedCredentials, target }) ? undefined : { ...document, ...masked };
}

function retold(
  history: readonly StateChange[],
  { maskText }: RemaskParts,
): readonly StateChange[] | undefined {
  let changed = false;
  const entries = history.map((entry) => {
    const message = maskText(entry.message);
    if (message === entry.message) return entry;
    changed = true;
    return { ...entry, message };
  });
  return changed ? entries : undefined;
}
