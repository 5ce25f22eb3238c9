import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type NumberedKind, numberedRecords } from '../numbered-records.ts';
import { type Expected, Reconciliation } from '../reconciliation.ts';
import { answerCalls, machineTime } from './calls.ts';

/**
 * The receiver, in a process of its own: a bare HTTP server that accounts for every record, per path. It answers like the
 * operator's ingest and like a webhook, so that a producer may send to it directly (the bare pipe).
 */
interface Desk {
  readonly reconciliation: Reconciliation;
  firstAt: number;
  lastAt: number;
  waiting: (() => void) | undefined;
  /** From a request to its answer, ms; 0: at once. */
  readonly answersAfterMs: number;
}

const desks = new Map<string, Desk>();

function receive(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answer(request, response, Buffer.concat(chunks)));
}

const server = createServer(receive);
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');

function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const at = machineTime();
  // What a replay delivers again is taken, and belongs to no account.
  const replayed = request.headers['simstream-replay'] !== undefined;
  const desk = replayed ? undefined : desks.get(request.url ?? '');
  if (desk) {
    const before = desk.reconciliation.distinct;
    desk.reconciliation.take(body, at);
    if (before === 0 && desk.reconciliation.distinct > 0) desk.firstAt = at;
    desk.lastAt = at;
    if (desk.reconciliation.complete) desk.waiting?.();
  }
  const send = () => {
    response.writeHead(request.method === 'POST' ? 202 : 200, { 'content-type': 'application/json' });
    response.end('{}');
  };
  if (desk?.answersAfterMs) setTimeout(send, desk.answersAfterMs);
  else send();
}

interface Desired extends Expected {
  readonly path: string;
  readonly organisationId: number;
  readonly organisations: number | undefined;
  readonly kind: NumberedKind;
  readonly answersAfterMs?: number | undefined;
}

const handlers = {
  url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,

  /** The same over TLS, with this certificate. */
  secureUrl: async (pair: { readonly key: string; readonly cert: string }): Promise<string> => {
    const secure = createSecureServer(pair, receive);
    secure.keepAliveTimeout = 60_000;
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    return `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
  },

  /** Opens a desk for records that will arrive at a path, and forgets earlier records of that path. */
  expect: ({ path, organisationId, organisations, kind, answersAfterMs = 0, ...expected }: Desired) => {
    const records = numberedRecords(kind, organisationId, organisations);
    const reconciliation = new Reconciliation(records, expected);
    desks.set(path, { reconciliation, firstAt: 0, lastAt: 0, waiting: undefined, answersAfterMs });
  },

  /** Resolves with true when all records have arrived, with false when no new one arrived for `stalledMs`. */
  settled: async ({ path, stalledMs }: { path: string; stalledMs: number }): Promise<boolean> => {
    const desk = deskOf(path);
    if (desk.reconciliation.complete) return true;
    let distinct = -1;
    return new Promise((resolve) => {
      const stalled = setInterval(() => {
        if (desk.reconciliation.distinct === distinct) done(false);
        distinct = desk.reconciliation.distinct;
      }, stalledMs);
      const done = (complete: boolean) => {
        clearInterval(stalled);
        resolve(complete);
      };
      desk.waiting = () => done(true);
    });
  },

  /** Times are machineTime of the first and the last delivery. */
  result: (path: string) => {
    const { reconciliation, firstAt, lastAt } = deskOf(path);
    return { ...reconciliation.result(), firstAt, lastAt, arrivedAt: reconciliation.arrivedAt };
  },
};

export type SinkCalls = typeof handlers;

function deskOf(path: string): Desk {
  const desk = desks.get(path);
  if (!desk) throw new Error(`nothing is expected at ${path}`);
  return desk;
}

answerCalls(handlers);
