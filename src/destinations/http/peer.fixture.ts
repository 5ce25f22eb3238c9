import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What to do with a request that was read in full. */
export type Answering = (request: ReceivedRequest, response: ServerResponse) => void;

/** A real HTTP server on loopback that answers as it is told; for tests. */
export interface HttpPeer {
  readonly port: number;
  readonly requests: readonly ReceivedRequest[];
  /** How many connections were accepted so far. */
  readonly accepted: number;
  answer(answering: Answering): void;
  reached(): Promise<void>;
  disconnected(): Promise<void>;
  stop(): Promise<void>;
}

export async function startHttpPeer(tls?: {
  readonly key: string;
  readonly cert: string;
}): Promise<HttpPeer> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  let waiting: (() => void)[] = [];
  let leaving: (() => void)[] = [];
  let accepted = 0;
  let answering: Answering = (_, response) => response.end();
  const handle = (incoming: IncomingMessage, response: ServerResponse) => {
    readAll(incoming).then(
      (request) => {
        requests.push(request);
        const woken = waiting;
        waiting = [];
        for (const wake of woken) wake();
        answering(request, response);
      },
      () => {},
    );
  };
  const server = tls ? createTlsServer(tls, handle) : createServer(handle);
  server.on('connection', (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      const woken = leaving;
      leaving = [];
      for (const wake of woken) wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    get accepted() {
      return accepted;
    },
    answer: (next) => {
      answering = next;
    },
    reached: () => new Promise((resolve) => waiting.push(resolve)),
    disconnected: () => new Promise((resolve) => (sockets.size === 0 ? resolve() : leaving.push(resolve))),
    stop: async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function readAll(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  const { method = '', url = '', headers } = incoming;
  return { method, url, headers, body: Buffer.concat(parts) };
}
