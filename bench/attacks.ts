import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, usageWebhook } from '../tests/support/api-client.ts';
import { OPERATOR_TOKEN } from '../tests/support/node-process.ts';
import { UsageRecords } from '../tests/support/usage-records.ts';

/** What one tenant may do to the others, as far as it is let. */
export interface Attack {
  /** For the table. */
  readonly name: string;
  /** Gets the attacker ready; what it gives goes on until the signal aborts. */
  prepare(attacker: Attacker): Promise<(signal: AbortSignal) => Promise<void>>;
}

interface Attacker {
  readonly api: ApiClient;
  readonly port: number;
  /** Of the attacker's own organisation. */
  readonly organisationId: number;
  readonly token: string;
  /** A receiver of the attacker's: `/reject`, `/statuses`, `/slow`, anything else is taken. */
  readonly receiver: string;
  /** Streams of the attacks that need many. */
  readonly streams: number;
}

/** An organisation may make ten changes a second. */
const BETWEEN_CHANGES_MS = 110;
const AT_ONCE = 20;

/** The same call all the time, `AT_ONCE` at a time; refusals are part of it. */
function callsOf({ api, token }: Attacker, method: string, path: string, body?: unknown) {
  return async (signal: AbortSignal) => {
    const one = async () => {
      while (!signal.aborted) {
        const { status } = await api.call(method, path, token, body).catch(() => ({ status: 0 }));
        // An attacker does not wait as long as it is told, but its own machine must not stand still.
        if (status !== 200) await sleep(20);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  };
}

async function createStreams(
  { api, token, streams }: Attacker,
  url: (at: number) => string,
  headers?: string[],
) {
  const ids: string[] = [];
  for (let at = 0; at < streams; at++) {
    const body = usageWebhook(`stream ${at}`, url(at)) as { destination: { credentials: object } };
    Object.assign(body.destination.credentials, headers ? { headers } : {});
    ids.push(await api.createStream(token, body));
    await sleep(BETWEEN_CHANGES_MS);
  }
  return ids;
}

async function feed({ api, organisationId }: Attacker, first: number, count: number): Promise<void> {
  const response = await fetch(`${api.url}/operator/v1/records/usage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body: new Uint8Array(new UsageRecords(organisationId).batch(first, count)),
  });
  await response.arrayBuffer();
}

/** Feeds records for as long as the attack lasts. */
const feeding = (attacker: Attacker, each: number, everyMs: number) => async (signal: AbortSignal) => {
  for (let first = 0; !signal.aborted; first += each) {
    await feed(attacker, first, each);
    await sleep(everyMs);
  }
};

/** One stream to a path of the attacker's receiver, with records that it was sent. */
async function streamWith(attacker: Attacker, path: string, records: number): Promise<string> {
  const [id = ''] = await createStreams({ ...attacker, streams: 1 }, () => attacker.receiver + path);
  for (let first = 0; first < records; first += 2_000) await feed(attacker, first, 2_000);
  return id;
}

async function stall(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  const head = `POST /operator/v1/records/usage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${OPERATOR_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${32 * 2 ** 20}\r\n\r\n[`;
  socket.write(head);
  return socket;
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'names whose servers never answer, in tests and streams',
    prepare: async (attacker) => {
      await createStreams(attacker, (at) => `http://dead-${at}.example/`);
      const test = callsOf(
        attacker,
        'POST',
        '/api/v2/data_stream/test',
        usageWebhook('dead', 'http://dead.example/'),
      );
      return async (signal) => {
        await Promise.all([test(signal), feeding(attacker, 100, 500)(signal)]);
      };
    },
  },
  {
    name: 'tail of a busy stream, limit 1',
    prepare: async (attacker) => {
      const id = await streamWith(attacker, '/taken', 60_000);
      return callsOf(attacker, 'GET', `/api/v2/data_stream/${id}/tail?limit=1`);
    },
  },
  {
    name: 'list of streams with headers of 15 KB each',
    prepare: async (attacker) => {
      const headers = Array.from({ length: 5 }, (_, at) => `x-${at}:${'v'.repeat(3_000)}`);
      await createStreams(attacker, () => `${attacker.receiver}/taken`, headers);
      return callsOf(attacker, 'GET', '/api/v2/data_stream');
    },
  },
  {
    name: 'pages of the quarantine, limit 1, and its groups',
    prepare: async (attacker) => {
      const id = await streamWith(attacker, '/reject', 4_000);
      const path = `/api/v2/data_stream/${id}/quarantine`;
      const calls = [callsOf(attacker, 'GET', `${path}?limit=1`), callsOf(attacker, 'GET', `${path}/group`)];
      return async (signal) => {
        await Promise.all(calls.map((run) => run(signal)));
      };
    },
  },
  {
    name: 'creating application tokens',
    prepare: async (attacker) => callsOf(attacker, 'POST', '/api/v1/application_token', {}),
  },
  {
    name: '300 uploads of 32 MiB that stall',
    prepare:
      async ({ port }) =>
      async (signal) => {
        const sockets = await Promise.all(Array.from({ length: 300 }, () => stall(port)));
        if (!signal.aborted) await once(signal, 'abort');
        for (const socket of sockets) socket.destroy();
      },
  },
  {
    name: 'a receiver that takes 1 of 50 records',
    prepare: async (attacker) => {
      await streamWith(attacker, '/reject', 0);
      return feeding(attacker, 500, 250);
    },
  },
  {
    name: 'a receiver that answers 196 statuses',
    prepare: async (attacker) => {
      await streamWith(attacker, '/statuses', 0);
      return feeding(attacker, 500, 250);
    },
  },
  {
    name: 'streams whose receiver answers after 25 s',
    prepare: async (attacker) => {
      await createStreams(attacker, () => `${attacker.receiver}/slow`);
      for (let at = 0; at < 4; at++) await feed(attacker, at * 3_000, 3_000);
      return feeding(attacker, 100, 500);
    },
  },
];
