import { ApiError } from '../../errors.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';

/**
 * The version of what people have set of a data stream, for the headers ETag and If-Match. It is made of the time of the last
 * change, which no two changes share. How the stream gets on does not change it.
 */
export function etagOf({ modified }: Pick<DataStreamDocument, 'modified'>): string {
  return `"${Date.parse(modified).toString(36)}"`;
}

/** @throws ApiError PreconditionFailed if the stream has another version than its caller knows */
export type MustBeKnown = (stream: DataStreamDocument) => void;

/** RFC 9110: tags in quotation marks, separated by commas. A proxy that compresses answers makes them weak, which changes nothing here. */
const TAGS = /^(?:W\/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e]*")*$/;

/**
 * What the header If-Match of a change demands. Without it every version may be changed.
 * @throws ApiError BadRequest
 */
export function readIfMatch(header: string | undefined): MustBeKnown {
  // A stream that does not exist is not found anyway.
  if (header === undefined || header.trim() === '*') return () => {};
  if (!TAGS.test(header.trim())) {
    const message = 'If-Match takes the ETag of an earlier answer, with its quotation marks, or *.';
    throw new ApiError('BadRequest', message);
  }
  const tags: readonly string[] = header.match(/"[^"]*"/g) ?? [];
  return (stream) => {
    const etag = etagOf(stream);
    if (tags.includes(etag)) return;
    const message = `Data stream ${stream.id} was changed since you read it, last at ${stream.modified}. Nothing was stored. Read it again, then make your change.`;
    throw new ApiError('PreconditionFailed', message, { headers: { etag } });
  };
}
