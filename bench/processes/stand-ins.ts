import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestSts } from '../../tests/support/aws-sts.ts';
import { reconcileArrivals } from '../arrivals.ts';
import { type NumberedKind, numberedRecords } from '../numbered-records.ts';
import type { Expected, Received } from '../reconciliation.ts';
import { PROBE_REPLY, type Reply, STAND_INS, type StandInName, standInOf, topicReply } from '../stand-ins.ts';
import { answerCalls, machineTime } from './calls.ts';

/**
 * The services that connectors deliver to, in a process of their own. During a load it only keeps the requests; it accounts
 * for them when asked.
 */
const sts = new TestSts([]);
const kept = new Map<StandInName, Received[]>();
/** What Datadog holds, by point. */
const points = new Map<string, number>();
let strays = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { status, body } = answer(request, Buffer.concat(chunks));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    response.writeHead(status, headers).end(body);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');

function answer({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Reply {
  const name = standInOf(url, headers);
  if (name === 'probe') return PROBE_REPLY;
  if (name === 'topic') return topicReply(sts.roles.map(({ externalId }) => externalId));
  if (name === 'sts') {
    const reply = sts.answer({ method, path: url, headers, body });
    return typeof reply === 'string' ? NOT_FOUND : reply;
  }
  if (name === undefined) {
    strays++;
    return NOT_FOUND;
  }
  kept.get(name)?.push({ body, at: machineTime() });
  return STAND_INS[name].answer(body);
}

const NOT_FOUND: Reply = { status: 404, body: Buffer.from('{}') };

interface Awaited extends Expected {
  readonly name: StandInName;
  readonly kind: NumberedKind;
  readonly organisationId: number;
}

const handlers = {
  /** @param roles roles that may be assumed, with their external ids */
  url: (roles: TestSts['roles']) => {
    sts.roles.push(...roles);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },

  /** Starts to keep the requests to a stand-in. */
  expect: (name: StandInName) => {
    kept.set(name, []);
  },

  /** The account of these requests; `lastAt` is machineTime of the last one, `strays` counts requests for no stand-in. */
  result: ({ name, kind, organisationId, ...expected }: Awaited) => {
    const received = kept.get(name) ?? [];
    kept.delete(name);
    const account = reconcileArrivals(
      name,
      received,
      numberedRecords(kind, organisationId),
      expected,
      points,
    );
    return { ...account, lastAt: received.at(-1)?.at ?? Number.NaN, strays };
  },
};

export type StandInCalls = typeof handlers;

answerCalls(handlers);
