import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { startNameServer } from '../../src/destinations/names/name-server.fixture.ts';
import { spawnOwned } from './owned.ts';

/** A receiver that neither fails nor answers. */
interface HangingReceiver {
  readonly url: string;
  /** What a stream that delivers to it says, behind the time. */
  readonly words: string;
}

interface HangingReceivers {
  readonly receivers: readonly HangingReceiver[];
  /** For `SIMSTREAM_NAME_SERVERS`. */
  readonly nameServer: string;
}

/** Receivers that hang at each step of a delivery. */
export async function startHangingReceivers(t: TestContext): Promise<HangingReceivers> {
  const names = await startNameServer();
  t.after(() => names.stop());
  const silent = await startServer(t, (socket) => void socket.resume());
  const begun = await startServer(t, (socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun'));
  });
  const full = await startFullServer(t);
  const at = (port: number) => `127.0.0.1:${port}`;
  return {
    nameServer: names.address,
    receivers: [
      {
        url: 'http://silent-name.example/',
        words: 'The name servers have not yet answered for the host name of silent-name.example.',
      },
      { url: `http://${at(full)}/`, words: `${at(full)} has not yet accepted the connection.` },
      {
        url: `https://${at(silent)}/`,
        words: `${at(silent)} accepted the connection, and has not yet completed the TLS handshake.`,
      },
      { url: `http://${at(silent)}/`, words: `${at(silent)} got the request, and has not yet answered.` },
      { url: `http://${at(begun)}/`, words: `${at(begun)} has begun its answer, and not yet ended it.` },
    ],
  };
}

async function startServer(t: TestContext, take: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    take(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const LISTEN = `const server = require('node:net').createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
/** A connection to this machine that is not there by then waits for room in the server's queue. */
const REFUSED_AFTER_MS = 500;
const MOST_QUEUED = 16;

/** A process that is suspended, and whose queue of new connections is full: another one waits. */
async function startFullServer(t: TestContext): Promise<number> {
  const child = spawnOwned(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const queued: Socket[] = [];
  t.after(() => {
    for (const socket of queued) socket.destroy();
    child.kill('SIGKILL');
  });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  while (queued.length < MOST_QUEUED) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    queued.push(socket);
    const signal = AbortSignal.timeout(REFUSED_AFTER_MS);
    const connected = await once(socket, 'connect', { signal }).then(
      () => true,
      () => false,
    );
    if (!connected) return port;
  }
  throw new Error('the queue of a suspended server does not become full');
}
