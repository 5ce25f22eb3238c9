import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { HTML_HEADERS } from '../lib/html.ts';
import { INBOX_NAME, type Inboxes, KEPT_BODY } from './inbox.ts';
import { inboxPage } from './inbox-page.ts';
import { RecordCounter } from './record-counter.ts';

const SHOWN_REQUESTS = 20;
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key']);

/**
 * The demo's webhook inbox as a Fastify plugin: `POST`, `PUT` or `PATCH /inbox/{name}` takes anything, `GET` shows it,
 * `DELETE` empties it. `?answer=503` makes a request be answered with that status, to see what a data stream does then.
 */
export function inboxPlugin(inboxes: Inboxes): FastifyPluginAsync {
  return async (app) => {
    // The demo's fleet delivers here without a token, as fast as somebody lets it.
    app.addHook('onRoute', (route) => {
      route.config = { ...route.config, paidBy: 'nobody' };
    });
    // Bodies of any kind and size are read as they arrive; only their beginning is kept.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    app.get('/inbox', async () => ({ inboxes: inboxes.names().map((name) => showSummary(inboxes, name)) }));

    app.route({
      method: ['GET', 'HEAD'],
      url: '/inbox/:name',
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const name = readName(request, reply);
        if (name === undefined) return reply;
        const limit = readLimit(request);
        if (request.headers.accept?.includes('text/html')) {
          const page = inboxPage(inboxes.summary(name), inboxes.requests(name, limit));
          return reply.headers(HTML_HEADERS).send(page);
        }
        return { ...showSummary(inboxes, name), newest: inboxes.requests(name, limit).map(showRequest) };
      },
    });

    app.route({
      method: ['POST', 'PUT', 'PATCH'],
      url: '/inbox/:name',
      handler: async (request, reply) => {
        const name = readName(request, reply);
        if (name === undefined) return reply;
        const body = await readBody(request);
        const answer = readAnswer(request);
        inboxes.add(name, {
          method: request.method,
          query: request.url.split('?')[1] ?? '',
          headers: showHeaders(request),
          answer,
          ...body,
        });
        reply.code(answer);
        return answer === 204 ? reply.send() : { received: body.bytes, records: body.records };
      },
    });

    app.delete('/inbox/:name', async (request, reply) => {
      const name = readName(request, reply);
      if (name === undefined) return reply;
      inboxes.clear(name);
      return reply.code(204).send();
    });
  };
}

function readName(request: FastifyRequest, reply: FastifyReply): string | undefined {
  const { name } = request.params as { name: string };
  if (INBOX_NAME.test(name)) return name;
  const message = 'The name of an inbox has 1 to 64 letters, digits, dots, dashes or underscores.';
  reply.code(400).send({ error_code: 1000, error_token: 'BadRequest', message });
  return undefined;
}

function readLimit(request: FastifyRequest): number {
  const limit = Number((request.query as Record<string, unknown>).limit ?? SHOWN_REQUESTS);
  return Number.isInteger(limit) && limit >= 1 && limit <= 100 ? limit : SHOWN_REQUESTS;
}

function readAnswer(request: FastifyRequest): number {
  const answer = Number((request.query as Record<string, unknown>).answer ?? 200);
  return Number.isInteger(answer) && answer >= 200 && answer <= 599 ? answer : 200;
}

/** Reads a body of any length; keeps its beginning as text, and counts its records. */
async function readBody(request: FastifyRequest) {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let bytes = 0;
  const counter = new RecordCounter();
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    counter.add(chunk);
    if (keptBytes < KEPT_BODY) {
      const part = chunk.subarray(0, KEPT_BODY - keptBytes);
      kept.push(part);
      keptBytes += part.length;
    }
  }
  const text = Buffer.concat(kept).toString('utf8');
  const json = /^\s*[[{]/.test(text);
  return {
    bytes,
    records: json ? counter.count : bytes === 0 ? 0 : null,
    body: text,
    bodyCut: bytes > keptBytes,
  };
}

function showHeaders(request: FastifyRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue;
    headers[name] = SECRET_HEADERS.has(name) ? '***' : String(value);
  }
  return headers;
}

function showSummary(inboxes: Inboxes, name: string) {
  const { requests, records, bytes, firstAt, lastAt } = inboxes.summary(name);
  return { name, requests, records, bytes, first_at: firstAt, last_at: lastAt };
}

function showRequest({ bodyCut, ...request }: ReturnType<Inboxes['requests']>[number]) {
  return { ...request, body_cut: bodyCut };
}
