import { lookup } from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Agent } from 'undici';
import { ManualClock } from '../lib/manual-clock.ts';
import { blockInMemory, type RecordKind } from '../records/block.ts';
import type {
  Batch,
  BatchDestination,
  DestinationEnvironment,
  DestinationType,
  Segment,
} from './contract.ts';

/** What the tests of connectors to vendors' HTTP APIs share: a peer, batches, an environment. */
export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** As it came over the wire, and unpacked. */
  readonly wireLength: number;
  readonly text: string;
}

/** What a peer answers: status and JSON, or what it does to the connection. */
export type PeerAnswer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | 'hang'
  | 'close';

export interface Peer {
  readonly url: string;
  readonly requests: PeerRequest[];
  /** Answers for the next requests, instead of what the peer would say. */
  readonly next: PeerAnswer[];
  /** Resolves when the peer has this many requests. */
  received(count: number): Promise<void>;
}

/** A real HTTP server that answers as `answer` says; closed at the end of the test. */
export async function startPeer(t: TestContext, answer: (request: PeerRequest) => PeerAnswer): Promise<Peer> {
  const requests: PeerRequest[] = [];
  const next: PeerAnswer[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((incoming, response) => {
    void readRequest(incoming).then((request) => {
      requests.push(request);
      for (const check of waiting) check();
      respond(response, next.shift() ?? answer(request));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    next,
    received: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (requests.length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

async function readRequest(incoming: IncomingMessage): Promise<PeerRequest> {
  const wire = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
  const body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(wire) : wire;
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    wireLength: wire.length,
    text: body.toString(),
  };
}

function respond(response: ServerResponse, answer: PeerAnswer): void {
  if (answer === 'hang') return;
  if (answer === 'close') {
    response.socket?.destroy();
    return;
  }
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
}

/** An environment whose way out is open, with a clock that stands still. */
export function testEnvironment(
  t: TestContext,
  variables: Record<string, string>,
  now: number,
): DestinationEnvironment & { readonly clock: ManualClock } {
  const agent = new Agent();
  t.after(() => agent.destroy());
  return {
    organisationId: 70412,
    streamId: 'a1b2c3d4',
    clock: new ManualClock(now),
    random: { next: () => 0.5, bytes: (length) => new Uint8Array(length) },
    egress: { allows: () => true, lookup, agent, close: () => agent.destroy() },
    variables,
    scratchDirectory: '/nonexistent',
  };
}

/** Configures and opens a connector; a configuration fault fails the test. */
export async function openBatches(
  type: DestinationType,
  credentials: Record<string, unknown>,
  environment: DestinationEnvironment,
): Promise<BatchDestination> {
  const configured = type.configure(credentials, 'Json');
  if (Array.isArray(configured)) throw new Error(JSON.stringify(configured));
  const destination = await configured.open(environment);
  if (destination.takes !== 'batches') throw new Error('not a destination of batches');
  return destination;
}

/** A batch of records given as JSON text, in one or more blocks. */
export function batchOf(kind: RecordKind, records: readonly string[], blocks = 1): Batch {
  const size = Math.max(1, Math.ceil(records.length / blocks));
  const segments: Segment[] = [];
  for (let from = 0; from < records.length; from += size) {
    segments.push(segmentOf(kind, records.slice(from, from + size)));
  }
  return {
    deliveryId: 'delivery-1',
    streamId: 'a1b2c3d4',
    organisationId: 70412,
    kind,
    count: records.length,
    bytes: records.reduce((sum, record) => sum + Buffer.byteLength(record), 0),
    first: { sequence: 1, index: 0 },
    last: { sequence: segments.length, index: 0 },
    firstArrivedAt: 0,
    segments,
  };
}

/** A block that has a record before and one behind those of the segment: they must not be sent. */
function segmentOf(kind: RecordKind, records: readonly string[]): Segment {
  const texts = ['{"not":"mine"}', ...records, '{"not":"mine"}'].map((text) => Buffer.from(text));
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const text of texts) {
    starts.push(at);
    at += text.length;
    ends.push(at);
    at += 1;
  }
  const events = kind === 'event' ? texts.length : 0;
  const index = {
    kind,
    count: texts.length,
    organisations: [70412],
    starts: Uint32Array.from(starts),
    ends: Uint32Array.from(ends),
    ordinals: new Uint16Array(0),
    eventTypes: new Uint32Array(events),
    alerts: new Uint8Array(events),
  };
  const payload = Buffer.from(texts.join(','));
  return { block: blockInMemory(index, payload, 0), from: 1, to: texts.length - 1 };
}
