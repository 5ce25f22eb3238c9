/**
 * The secrets of a URL. Many receivers know their customers by the URL alone (Azure Functions, Slack, Teams, Make), so these
 * parts count as secret, wherever a URL is stored in clear or shown:
 *
 *   https://***@host/services/***?code=***&tag=***#***
 *           │                 │        │            └ the fragment, which is never sent
 *           │                 │        └ every value of the query, and a query without names as a whole
 *           │                 └ a segment of the path from LONG_SEGMENT characters on, or with a value in it (`;key=…`)
 *           └ user name and password
 *
 * Scheme, host, port, short segments and the names of the query stay, so that people recognise the receiver.
 */

const MASK = '***';

/**
 * Characters from which a segment of a path counts as a secret: the tokens of Slack have 24, of Make 32. A long word of no
 * secret is hidden too. That mistake costs a look into the receiver's settings, the other one costs the secret.
 */
const LONG_SEGMENT = 16;
/** Shorter values would garble what a receiver says, when they are taken out of its words. */
const SHORTEST_TOLD_APART = 4;

/** The URL as it may be shown. A text that holds no secret stays as it is; one that is not a URL is masked as a whole. */
export function maskUrl(text: string): string {
  if (!URL.canParse(text)) return MASK;
  const parts = partsOf(new URL(text));
  return parts.some(({ secret }) => secret) ? joined(parts) : text;
}

/** Each secret part of a URL, as it is written and decoded: what a receiver may repeat in its words. */
export function secretsInUrl(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { username, password } = new URL(text);
  const parts = partsOf(new URL(text)).flatMap((part) => (part.secret ? [part.text] : []));
  const forms = [...parts, username, password].flatMap((part) => [
    part,
    decoded(part),
    decoded(part.replaceAll('+', ' ')),
  ]);
  return [...new Set(forms)].filter((secret) => secret.length >= SHORTEST_TOLD_APART);
}

/** Masks the URLs in a text that people wrote or read. */
export function maskUrlsIn(text: string): string {
  return text.replace(/https?:\/\/[^\s"'<>]+/gi, (found) => {
    // The full stop belongs to the sentence.
    const [, url = '', end = ''] = /^(.*?)([.,;:!?)]*)$/s.exec(found) ?? [];
    return `${maskUrl(url)}${end}`;
  });
}

type RestoredUrl =
  /** No mask in it. */
  | { readonly type: 'given' }
  /** It is the stored one, as answers show it. */
  | { readonly type: 'stored'; readonly url: string }
  /** A mask in another URL than the stored one, or nothing is stored. */
  | { readonly type: 'missing' };

/**
 * The meaning of a URL in a change. Masks stand for the parts of the stored URL only if the rest is the same: no part
 * of it may be sent to another address.
 */
export function restoreUrl(given: string, stored: unknown): RestoredUrl {
  const url = normal(given);
  if (given !== MASK && (!URL.canParse(url) || !partsOf(new URL(url)).some(({ text }) => text === MASK))) {
    return { type: 'given' };
  }
  const same = typeof stored === 'string' && normal(maskUrl(stored)) === url;
  return same ? { type: 'stored', url: stored } : { type: 'missing' };
}

/** In the one spelling of a URL. Some clients encode the asterisks of a mask. */
function normal(text: string): string {
  return URL.canParse(text) ? new URL(text).href.replaceAll(/%2a/gi, '*') : text;
}

/** A piece of a URL; all of them in a row are the URL in its normal form. */
interface Part {
  readonly text: string;
  readonly secret: boolean;
}

function partsOf({ protocol, host, pathname, username, password, search, hash }: URL): Part[] {
  const user = password === '' ? username : `${username}:${password}`;
  return [
    plain(`${protocol}//`),
    ...(user === '' ? [] : [hidden(user), plain('@')]),
    plain(host),
    ...pathname.split(/(\/)/).map((segment) => ({ text: segment, secret: isSecretSegment(segment) })),
    ...search.split(/([?&])/).flatMap(queryParts),
    ...(hash === '' ? [] : [plain('#'), hidden(hash.slice(1))]),
  ];
}

function plain(text: string): Part {
  return { text, secret: false };
}

function hidden(text: string): Part {
  return { text, secret: text !== '' };
}

function isSecretSegment(segment: string): boolean {
  return segment.length >= LONG_SEGMENT || segment.includes('=');
}

/** Of a query: a separator, or `name=value`, or a text without a name. */
function queryParts(text: string): Part[] {
  if (text === '?' || text === '&') return [plain(text)];
  const value = text.indexOf('=') + 1;
  return [plain(text.slice(0, value)), hidden(text.slice(value))];
}

function joined(parts: readonly Part[]): string {
  return parts.map(({ text, secret }) => (secret ? MASK : text)).join('');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
