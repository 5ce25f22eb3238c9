import { TEST_MARK } from '../contract.ts';
import { splitHeader } from '../masking.ts';

interface HeaderFault {
  /** Which of the headers. */
  readonly index: number;
  readonly message: string;
}

type ParsedHeaders =
  | { readonly type: 'headers'; readonly headers: readonly HeaderField[] }
  | { readonly type: 'invalid'; readonly faults: readonly HeaderFault[] };

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110, 5.5: visible characters, blanks and tabs of Latin-1. No line breaks, no NUL. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Headers that belong to the connection or to the message's framing, or that simstream itself sends. */
const REFUSED = new Map<string, string>([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te'].map(
    (name) => [name, 'belongs to the connection'] as const,
  ),
  ...['trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings'].map(
    (name) => [name, 'belongs to the connection'] as const,
  ),
  ...['content-length', 'content-encoding', 'host'].map((name) => [name, 'is set by simstream'] as const),
  ...[
    'webhook-id',
    'webhook-timestamp',
    'webhook-signature',
    'simstream-replay',
    TEST_MARK.toLowerCase(),
  ].map((name) => [name, 'is set by simstream'] as const),
]);

/**
 * Reads headers written as `name:value`. Messages name the header, never its value: it may be a secret; and of a text
 * without a colon nothing, since it may be a value whose name was forgotten.
 */
export function parseHeaders(texts: readonly string[]): ParsedHeaders {
  const headers: HeaderField[] = [];
  const faults: HeaderFault[] = [];
  texts.forEach((text, index) => {
    const { name, value } = splitHeader(text);
    const message = text.includes(':') ? faultOf(name, value) : 'has no colon: write it as name:value';
    if (message) faults.push({ index, message });
    else headers.push({ name, value });
  });
  return faults.length > 0 ? { type: 'invalid', faults } : { type: 'headers', headers };
}

function faultOf(name: string, value: string): string | undefined {
  if (name === '') return 'has no name before the colon';
  if (!TOKEN.test(name)) return 'has a name with characters that a header name must not have';
  const why = REFUSED.get(name.toLowerCase());
  if (why) return `sets ${name}, which ${why}`;
  if (value === '') return `gives ${name} no value`;
  if (!VALUE.test(value)) return `gives ${name} a value with line breaks, control or non-Latin-1 characters`;
  return undefined;
}
