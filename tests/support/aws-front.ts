import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as forward,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SignedRequest } from './aws-signature.ts';

/** What a peer does to a request instead of answering it well. */
export type Misbehaviour =
  /** An answer of the service's own. */
  | Answer
  /** The connection is closed before the request is taken, or after it was. */
  | 'drop'
  | 'drop_after'
  /** There is never an answer; the request is not taken, or is. */
  | 'hang'
  | 'hang_after';

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Where a test stops what it started: a TestContext, or what collects for a suite. */
export interface Owner {
  after(stop: () => unknown): void;
}

/** An HTTP/1.1 server on 127.0.0.1 and a free port; stops with its owner. Returns its URL. */
export async function startServer(
  owner: Owner,
  handle: (request: SignedRequest) => Promise<Misbehaviour>,
): Promise<string> {
  const server = createServer((incoming, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const { method = '', url: path = '/', headers } = incoming;
      const answer = await handle({ method, path, headers, body: Buffer.concat(chunks) });
      respond(response, answer);
    })().catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function respond(response: ServerResponse, answer: Misbehaviour): void {
  if (answer === 'hang' || answer === 'hang_after') return;
  if (answer === 'drop' || answer === 'drop_after') {
    response.destroy();
    return;
  }
  const headers: OutgoingHttpHeaders = { ...answer.headers, 'content-length': answer.body.length };
  for (const name of ['transfer-encoding', 'connection', 'keep-alive']) delete headers[name];
  response.writeHead(answer.status, headers);
  response.end(answer.body);
}

/** Sends requests on to a server behind. */
export function forwarder(owner: Owner, port: number): (request: SignedRequest) => Promise<Answer> {
  const agent = new Agent({ keepAlive: true });
  owner.after(() => agent.destroy());
  return ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const { connection: _, ...rest } = headers;
      const outgoing = forward(
        { host: '127.0.0.1', port, method, path, headers: rest, agent },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () =>
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
}
