import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const SESSIONS = 4;
const REPORTS = 40;
/** A node that starts on a busy machine. */
const SLOW_MS = 60_000;
const BEGAN = 1_773_727_200;
const HEADERS = {
  authorization: `Bearer ${OPERATOR_TOKEN}`,
  'content-type': 'application/vnd.simstream.radius-accounting+json',
};

/** The octets grow by another amount with each report, and begin again at 0 in the middle. */
const octets = (session: number, at: number) => {
  const since = at >= REPORTS / 2 ? at - REPORTS / 2 : at;
  return 1000 * since * (session + 1) + since * since;
};
const report = (session: number, at: number) => ({
  'Acct-Status-Type': at === 0 ? 'Start' : at === REPORTS ? 'Stop' : 'Interim-Update',
  'Acct-Session-Id': `session-${session}`,
  'NAS-IP-Address': '192.0.2.1',
  'Event-Timestamp': BEGAN + at * 60,
  'Acct-Output-Octets': octets(session, at),
  'Acct-Input-Octets': 0,
  Class: 'nordlicht-metering',
  '3GPP-IMSI': `26202000000000${session}`,
});
/** Before the reset, and after it. */
const total = (session: number) => octets(session, REPORTS / 2 - 1) + octets(session, REPORTS);

test('reports of cumulative counters over HTTP: the slices are the counters, in spite of kill -9 and repeated reports', {
  timeout: 180_000,
}, async (t) => {
  const volumes = new Map<string, [session: string, octets: number]>();
  const receiver = await startReceiver(({ body }) => {
    const records: Slice[] = [JSON.parse(body.toString('utf8'))].flat();
    for (const { session_id: session, end_timestamp: end, volume } of records)
      volumes.set(`${session} ${end}`, [session, Math.round(volume.rx * 1e6)]);
    return { status: 200 };
  });
  const options = {
    dataDirectory: temporaryDirectory(),
    environment: { SIMSTREAM_MAPPINGS: 'examples/mappings' },
  };
  let node: NodeProcess = await startNode(options);
  t.after(async () => {
    await node.kill();
    await receiver.close();
  });
  const api = createApiClient(node.url);
  await api.createOrganisation(ORGANISATION, 'Nordlicht');
  await api.createStream(await api.authenticate(ORGANISATION), {
    data_stream_type: { id: 1 },
    destination: { connection_type: 'RestAPI', credentials: { url: receiver.url, size: 10 } },
  });
  const send = async (one: object): Promise<number> => {
    const body = JSON.stringify([one]);
    try {
      const url = `${node.url}/operator/v1/records/usage`;
      return (await fetch(url, { method: 'POST', headers: HEADERS, body })).status;
    } catch {
      return 0;
    }
  };
  let sent = 0;
  const sender = async (session: number) => {
    for (let at = 0; at <= REPORTS; at++) {
      const one = report(session, at);
      const counted = async () => ((await send(one)) === 202 ? true : undefined);
      await waitFor(`report ${at} of session ${session}`, counted, SLOW_MS);
      sent++;
      // Some senders do not hear an answer, and send again.
      if (at % 7 === session) assert.equal(await send(one).then((status) => status || 202), 202);
    }
    assert.equal(await send(report(session, REPORTS)), 202);
  };
  const senders = Promise.all(Array.from({ length: SESSIONS }, (_, session) => sender(session)));
  senders.catch(() => undefined);
  await waitFor('reports under way', () => (sent >= 50 ? true : undefined), SLOW_MS);
  await node.kill();
  node = await startNode({ ...options, port: node.port });
  await senders;
  const expected = Array.from({ length: SESSIONS }, (_, session) => [`session-${session}`, total(session)]);
  const sums = () => {
    const found = new Map<string, number>();
    for (const [session, one] of volumes.values()) found.set(session, (found.get(session) ?? 0) + one);
    return [...found].sort(([a], [b]) => a.localeCompare(b));
  };
  await waitFor(
    () => `${JSON.stringify(sums())} instead of ${JSON.stringify(expected)}`,
    () => (JSON.stringify(sums()) === JSON.stringify(expected) ? true : undefined),
    SLOW_MS,
  );
});

interface Slice {
  readonly session_id: string;
  readonly end_timestamp: string;
  readonly volume: { readonly rx: number };
}
