import { type Static, Type } from 'typebox';
import { holdPayloads } from '../../records/leased-block.ts';
import { VERSION } from '../../version.ts';
import { joined } from '../batch.ts';
import {
  type Batch,
  type BatchDestination,
  type ConfigurationFault,
  type DestinationEnvironment,
  defineDestination,
  TEST_MARK,
} from '../contract.ts';
import { maskUrl, secretsInUrl } from '../url-secrets.ts';
import { exchange } from './http-exchange.ts';
import { type HeaderField, parseHeaders } from './http-headers.ts';
import { outcomeOfAnswer } from './http-outcome.ts';
import { probe } from './probe.ts';
import { isSent, watched } from './sent-bodies.ts';
import { sign, signingKey } from './standard-webhooks.ts';
import { type WebhookBody, type WebhookFormat, webhookBody } from './webhook-body.ts';

/** A body has at most 5 MiB, in addition to the limit of records. */
const LARGEST_BODY = 5 * 2 ** 20;

const credentials = Type.Object({
  url: Type.String({
    title: 'URL',
    description:
      'The address for the records: http or https, with a host name. User names and passwords go into a header. A token may be in the query or the path: values of the query and path segments of 16 characters or more are shown as ***.',
    minLength: 1,
    maxLength: 2048,
    examples: ['https://example.com/simstream'],
    'x-secret': 'url',
  }),
  method: Type.Enum(['POST', 'PUT', 'PATCH'], {
    title: 'Method',
    description: 'The HTTP method of each request.',
    default: 'POST',
  }),
  headers: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 8192 }), {
      title: 'Headers',
      description: 'Sent with each request, each as name:value. Put the receiver’s credentials here.',
      maxItems: 50,
      examples: [['Authorization:Bearer 2f1c9d0a', 'X-Source:simstream']],
      'x-secret': 'headers',
    }),
  ),
  size: Type.Integer({
    title: 'Records per request',
    description:
      'The most records in one request. 1: each record alone, in the formats Json and CloudEvents as a bare JSON object.',
    minimum: 1,
    maximum: 10_000,
    default: 3000,
  }),
  signing_secret: Type.Optional(
    Type.String({
      title: 'Signing secret',
      description:
        'Signs each request as Standard Webhooks describes: whsec_ followed by base64, or a text of your own.',
      minLength: 8,
      maxLength: 512,
      examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      'x-secret': 'all',
      'x-generate': 'whsec',
    }),
  ),
});

type Settings = Static<typeof credentials>;

/** emnify's webhook: records as a JSON array, or one as a bare object, in an HTTP request; any 2xx accepts them all. */
export const restApi = defineDestination({
  connectionType: 'RestAPI',
  title: 'Webhook',
  summary: 'Sends records as JSON to an HTTP endpoint of your own.',
  icon: 'M9 8a3.5 3.5 0 1 1 5 3.2l2.6 4.6M9.5 9.8 7 14.5M4.2 13.6a3.4 3.4 0 1 0 5.6 2.6h6.4M15 13.6a3.4 3.4 0 1 1 0 5.8',
  setup: [
    { text: 'Provide an HTTP endpoint that answers 2xx once it has stored the records of a request.' },
    { text: 'Records arrive as a JSON array. With one record per request, they arrive as a JSON object.' },
    { text: 'If the endpoint needs a key, add it as a header, for example `Authorization:Bearer …`' },
    {
      text: 'The same records can arrive twice. Each record has an `id`: store it, and skip ids that you know.',
    },
  ],
  formats: ['Json', 'NdJson', 'Csv', 'CloudEvents'],
  credentials,
  configure(settings, format) {
    const url = readUrl(settings.url);
    const headers = parseHeaders(settings.headers ?? []);
    const key = settings.signing_secret === undefined ? undefined : signingKey(settings.signing_secret);
    const faults: ConfigurationFault[] = [];
    if (typeof url === 'string') faults.push({ path: '/url', message: url });
    if (headers.type === 'invalid') {
      for (const { index, message } of headers.faults) faults.push({ path: `/headers/${index}`, message });
    }
    if (settings.signing_secret !== undefined && !key) {
      const message = 'must be whsec_ followed by base64, or printable ASCII characters without blanks';
      faults.push({ path: '/signing_secret', message });
    }
    if (typeof url === 'string' || headers.type === 'invalid' || faults.length > 0) return faults;
    const body = webhookBody(format as WebhookFormat, settings.size === 1);
    const webhook: Webhook = {
      url,
      at: url.host,
      method: settings.method,
      headers: fixedHeaders(headers.headers, body.contentType),
      body,
      key,
      secrets: secretsIn(headers.headers, [...secretsInUrl(settings.url), settings.signing_secret ?? '']),
    };
    return {
      target: maskUrl(`${url.origin}${url.pathname}`),
      identity: url.origin,
      address: url.href,
      // Brackets, and of each record what stands around it, come to the records' bytes.
      gathering: {
        by: 'batch',
        records: settings.size,
        bytes: LARGEST_BODY - settings.size * body.around - 1,
      },
      open: (environment: DestinationEnvironment) => Promise.resolve(openWebhook(webhook, environment)),
    };
  },
});

interface Webhook {
  readonly url: URL;
  readonly at: string;
  readonly method: Settings['method'];
  /** Name, value, name, value … */
  readonly headers: readonly string[];
  readonly body: WebhookBody;
  readonly key: Uint8Array | undefined;
  readonly secrets: readonly string[];
}

function openWebhook(webhook: Webhook, environment: DestinationEnvironment): BatchDestination {
  const { url, at, method, key, secrets } = webhook;
  const { clock } = environment;
  const shownUrl = maskUrl(url.href);
  return {
    takes: 'batches',
    verify: (signal) => probe(url, at, environment, signal),
    async send(batch, signal) {
      const { parts: body, letGo } = inMemory(webhook.body.of(batch), batch.segments);
      const timestamp = Math.floor(clock.now() / 1000);
      const headers = webhook.headers.slice();
      headers.push('webhook-id', batch.deliveryId, 'webhook-timestamp', String(timestamp));
      if (key) headers.push('webhook-signature', sign(key, batch.deliveryId, timestamp, body));
      if (batch.replay !== undefined) headers.push('simstream-replay', batch.replay);
      if (batch.test) headers.push(TEST_MARK.toLowerCase(), 'true');
      const noting = batch.notes && { notes: batch.notes, secrets, url: shownUrl };
      const result = await exchange({ method, url, headers, body, noting }, at, environment, signal);
      letGo?.(result.type === 'answer' && isSent(body));
      if (result.type === 'none') return result.outcome;
      return outcomeOfAnswer(result, { at, now: clock.now(), secrets });
    },
    // Connections belong to the egress, which other streams to the same host use too; idle ones close by themselves.
    close: () => Promise.resolve(),
  };
}

/**
 * A body as it is sent, and its memory, which stays what it is until `letGo`.
 * @returns `letGo` is called once, as that of `holdPayloads`; undefined: the memory is used for this body alone
 */
function inMemory(
  parts: readonly Uint8Array[],
  segments: Batch['segments'],
): { readonly parts: readonly Uint8Array[]; readonly letGo?: (unused: boolean) => void } {
  if (parts.length === 1) return { parts };
  const copy = joined(parts);
  if (!copy) return { parts: watched(parts), letGo: holdPayloads(segments) };
  const { buffer, byteOffset, byteLength } = copy.bytes as Uint8Array;
  return {
    // undici takes over a Buffer as it is, so that `isSent` knows it again.
    parts: watched([Buffer.from(buffer, byteOffset, byteLength)]),
    letGo: (unused) => {
      if (!unused) copy.giveUp();
      copy.release();
    },
  };
}

/** The URL, or its fault. The fault does not repeat the text: a query may hold a secret. */
function readUrl(text: string): URL | string {
  if (!URL.canParse(text)) return 'is not a URL such as https://example.com/path';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https:// or http://';
  if (url.hostname === '') return 'has no host';
  if (url.username !== '' || url.password !== '') {
    return 'must not hold a user name or password: send them in an Authorization header';
  }
  url.hash = '';
  return url;
}

/** The headers of every request; a customer's header replaces simstream's. */
function fixedHeaders(own: readonly HeaderField[], contentType: string): string[] {
  const usual = { 'content-type': contentType, 'user-agent': `simstream/${VERSION}` };
  const replaced = new Set(own.map(({ name }) => name.toLowerCase()));
  const kept = Object.entries(usual).filter(([name]) => !replaced.has(name));
  return [...kept, ...own.map(({ name, value }) => [name, value])].flat();
}

/** Headers that are known to hold no secret: hiding them would only garble what a receiver says. */
const NO_SECRET = new Set(['content-type', 'user-agent', 'accept']);

/** Secrets that a receiver might repeat in its answer: whole values, and the long words in them. */
function secretsIn(headers: readonly HeaderField[], others: readonly string[]): string[] {
  const values = headers.filter(({ name }) => !NO_SECRET.has(name.toLowerCase())).map(({ value }) => value);
  const words = values.flatMap((value) => value.split(/[\s;,="]+/)).filter((word) => word.length >= 6);
  const decoded = values
    .filter((value) => /^basic /i.test(value))
    .map((value) => Buffer.from(value.slice(6), 'base64').toString('utf8'))
    .flatMap((pair) => [pair, pair.slice(pair.indexOf(':') + 1)]);
  const all = [...values, ...words, ...decoded, ...others].filter((secret) => secret.length >= 4);
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}
