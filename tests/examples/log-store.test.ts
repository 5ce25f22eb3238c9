import { sampleIdsIn } from '../../src/destinations/batches.fixture.ts';
import { testDestination } from '../../src/destinations/destination.contract.ts';
import type { PeerBehaviour } from '../../src/destinations/destination-world.fixture.ts';
import { type Answering, startHttpPeer } from '../../src/destinations/http/peer.fixture.ts';
import { logStore } from './log-store.ts';

const KEY = 'k-0123456789';

/** A store on loopback: what it answers, and the ids of the lines that it took. */
async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  let behaviour: PeerBehaviour = 'ok';
  const take = (ids: readonly string[], failed: readonly { line: number; full: boolean }[]): string => {
    const refused = new Set(failed.map(({ line }) => line));
    taken.push(...ids.filter((_, line) => !refused.has(line)));
    return JSON.stringify({ failed });
  };
  const answering: Answering = ({ method, headers, body }, response) => {
    const ids = sampleIdsIn(body.toString());
    if (headers.authorization !== `Key ${KEY}` || behaviour === 'refuse') {
      response.writeHead(403).end(`no such key: ${headers.authorization}`);
    } else if (method === 'GET') response.end();
    else if (behaviour === 'busy') response.writeHead(503).end();
    else if (behaviour === 'too_large') response.writeHead(413).end();
    else if (behaviour === 'reject')
      response.end(
        take(
          ids,
          ids.map((_, line) => ({ line, full: false })),
        ),
      );
    else if (behaviour === 'half')
      response.end(
        take(ids, [
          { line: 1, full: true },
          { line: 3, full: false },
        ]),
      );
    else if (behaviour === 'ok') response.end(take(ids, []));
    else if (behaviour === 'close') response.socket?.destroy();
  };
  peer.answer(answering);
  return {
    credentials: { url: `http://127.0.0.1:${peer.port}`, index: 'usage', key: KEY },
    secrets: [KEY],
    behave: (next: PeerBehaviour) => {
      behaviour = next;
    },
    taken: () => taken,
    requests: peer.requests,
    reached: () => peer.reached(),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

testDestination('LogStore', { type: logStore, start });
