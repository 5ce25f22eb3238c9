import type { FastifyInstance, FastifyReply } from 'fastify';

/** For answers that set none themselves: nothing of the API is ever rendered, framed, sniffed or kept. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** What a page of another origin may read: the headers of lists and of creation. */
const EXPOSED_HEADERS = [
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

const CORS_PREFIX = '/api/';

/**
 * Adds the headers of every answer. The customer API may be called from pages of any origin: who calls is told by a
 * bearer token and never by a cookie, so a foreign page gains nothing that its own server would not have.
 */
export function addCommonHeaders(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply) => {
    setMissing(reply, SECURITY_HEADERS);
    reply.header('x-request-id', request.id);
    if (!request.url.startsWith(CORS_PREFIX)) return;
    setMissing(reply, {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': EXPOSED_HEADERS,
    });
  });

  app.options(`${CORS_PREFIX}*`, async (_, reply) => {
    reply
      .status(204)
      .header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', 'Authorization, Content-Type')
      // Two hours: the longest that Chromium honours.
      .header('access-control-max-age', '7200');
  });
}

function setMissing(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!reply.hasHeader(name)) reply.header(name, value);
  }
}
