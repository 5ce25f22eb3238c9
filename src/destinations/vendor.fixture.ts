import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { batchOfTexts } from './batches.fixture.ts';
import type { BatchDestination, DestinationEnvironment, DestinationType } from './contract.ts';
import { createEgress } from './egress.ts';
import { type Answering, type ReceivedRequest, startHttpPeer } from './http/peer.fixture.ts';

/** Shared parts of the tests of connectors to vendors' HTTP APIs: a peer that answers with JSON, and an environment. */
export interface VendorRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: ReceivedRequest['headers'];
  /** Bytes as they came over the wire; and the text, unpacked. */
  readonly wireLength: number;
  readonly text: string;
}

/** The answer of a vendor: status and JSON, or the fate of the connection. */
export type VendorAnswer =
  | {
      readonly status: number;
      readonly body?: unknown;
      /** A text that is not JSON, in place of `body`. */
      readonly text?: string;
      readonly headers?: Record<string, string>;
    }
  | 'hang'
  | 'close';

interface Vendor {
  readonly url: string;
  readonly requests: readonly VendorRequest[];
  /** Answers to the next requests, in place of what the vendor would say. */
  readonly next: VendorAnswer[];
  reached(): Promise<void>;
}

/** A real HTTP server that answers as `answer` says; gone at the end of the test. */
export async function startVendor(
  t: TestContext,
  answer: (request: VendorRequest) => VendorAnswer,
): Promise<Vendor> {
  const peer = await startHttpPeer();
  t.after(() => peer.stop());
  const requests: VendorRequest[] = [];
  const next: VendorAnswer[] = [];
  peer.answer((received, response) => {
    const request = unpack(received);
    requests.push(request);
    answering(next.shift() ?? answer(request))(received, response);
  });
  return { url: `http://127.0.0.1:${peer.port}`, requests, next, reached: () => peer.reached() };
}

export function unpack({ method, url, headers, body }: ReceivedRequest): VendorRequest {
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
  return { method, path: url, headers, wireLength: body.length, text };
}

export function answering(answer: VendorAnswer): Answering {
  return (_, response) => {
    if (answer === 'hang') return;
    if (answer === 'close') {
      response.socket?.destroy();
      return;
    }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.text ?? (answer.body === undefined ? '' : JSON.stringify(answer.body)));
  };
}

/** An environment whose way out leads to loopback, with a clock that stands still at `now`. */
export function testEnvironment(
  t: TestContext,
  variables: Record<string, string>,
  now: number,
): DestinationEnvironment & { readonly clock: ManualClock } {
  const egress = createEgress({ allow: '127.0.0.0/8' });
  t.after(() => egress.close());
  return {
    organisationId: 70412,
    streamId: 'a1b2c3d4',
    clock: new ManualClock(now),
    random: seededRandom(1),
    egress,
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

/** A batch of records given as text. */
export const batchOf = batchOfTexts;
