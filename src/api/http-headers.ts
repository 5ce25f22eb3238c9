import type { FastifyInstance, FastifyReply } from 'fastify';

type Headers = readonly (readonly [name: string, value: string])[];

/** For answers that set none themselves: no answer of the API may be rendered, framed, sniffed or cached. */
const SECURITY_HEADERS: Headers = [
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-opener-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
];

/** Headers that a page of another origin may read: those of lists and of creation. */
const EXPOSED_HEADERS = [
  'ETag',
  'Link',
  'Location',
  'Retry-After',
  'X-Count-Per-Page',
  'X-Current-Page',
  'X-Filter',
  'X-Request-Id',
  'X-Sort',
  'X-Total-Count',
  'X-Total-Pages',
].join(', ');

const CORS_HEADERS: Headers = [
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', EXPOSED_HEADERS],
];

const CORS_PREFIX = '/api/';

/**
 * Adds the headers of every answer. The customer API may be called from pages of any origin: a bearer token
 * identifies the caller, never a cookie, so a foreign page gains nothing that its own server would not have.
 */
export function addCommonHeaders(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, _, done) => {
    setMissing(reply, SECURITY_HEADERS);
    reply.header('x-request-id', request.id);
    if (request.url.startsWith(CORS_PREFIX)) setMissing(reply, CORS_HEADERS);
    done();
  });

  app.options(`${CORS_PREFIX}*`, async ({ headers }, reply) => {
    reply
      .status(204)
      .header('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', allowedHeaders(headers['access-control-request-headers']))
      .header('vary', 'Access-Control-Request-Headers')
      // Two hours: the longest that Chromium honours.
      .header('access-control-max-age', '7200');
  });
}

/** Names of headers, as a preflight lists them. */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
/** A preflight lists what a script set; no client sets more than some dozen headers. */
const LONGEST_HEADER_NAMES = 2000;

/**
 * Clients and their tracing add headers of their own (`X-Requested-With`, `traceparent`, `x-sdk-version`), and all of them
 * are harmless: simstream reads only those that it documents. Every requested header is therefore allowed.
 */
function allowedHeaders(requested: string | undefined): string {
  const usual = 'Authorization, Content-Type';
  if (requested === undefined || requested.length > LONGEST_HEADER_NAMES) return usual;
  return HEADER_NAMES.test(requested) ? `${usual}, ${requested}` : usual;
}

function setMissing(reply: FastifyReply, headers: Headers): void {
  for (const [name, value] of headers) if (!reply.hasHeader(name)) reply.header(name, value);
}
