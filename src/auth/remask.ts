import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { type DataStreamDocument, HISTORY, STREAM, type StateChange } from '../registry/data-stream.ts';
import type { Registry } from '../registry/registry.ts';
import { rewriteAll } from './rewrite.ts';

/**
 * What is shown of credentials is stored beside the sealed ones, in clear. An older version masked less of it (nothing of a
 * URL): so each start masks what is stored by the rules of today.
 */
interface RemaskParts {
  readonly registry: Registry;
  readonly clock: Clock;
  /** What a document of a data stream shows in clear, masked; masking twice changes nothing. */
  mask(stream: Shown): Pick<DataStreamDocument, 'maskedCredentials' | 'target'>;
  /** Masks the URLs in a text. */
  maskText(text: string): string;
}

type Shown = Pick<DataStreamDocument, 'connectionType' | 'maskedCredentials' | 'target'>;

/**
 * Masks the documents of data streams and the messages of their histories.
 * @returns how many documents were written; undefined if `signal` aborted before all was done
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
