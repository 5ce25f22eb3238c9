import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { freePort } from './support/free-port.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const PATH = '/api/v2/data_stream';
const LINES = readFileSync(new URL('./fixtures/samples/usage-samples.ndjson', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '');
/** The id of a record that the receiver does not want. */
const REFUSED = 424_242;
const ICCIDS = LINES.map((line) => String(JSON.parse(line).sim.iccid));

test('what is private of a record leaves a node nowhere, and its hash outlives a crash and a new secret', {
  timeout: 180_000,
}, async (t) => {
  const bodies: string[] = [];
  let refusing = true;
  const receiver = await startReceiver(({ body }) => {
    bodies.push(body.toString('utf8'));
    return { status: refusing && body.includes(`{"id":${REFUSED},`) ? 422 : 200 };
  });
  const dataDirectory = temporaryDirectory();
  const port = await freePort();
  const secrets = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')];
  const start = (environment: Record<string, string>) => startNode({ dataDirectory, port, environment });
  let node = await start({ SIMSTREAM_SECRET: secrets[0] as string });
  t.after(async () => {
    await node.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  const [first = 0, ...others] = new Set(LINES.map((line) => JSON.parse(line).organisation.id as number));
  await client.createOrganisation(first, 'Parent');
  for (const id of others) await client.createOrganisation(id, `Child ${id}`, first);
  let token = await client.authenticate(first);
  const credentials = { url: receiver.url, size: 1 };
  const body = {
    data_stream_type: { id: 1 },
    relation_resolution: { id: 3 },
    // A filter may use what the receiver does not get.
    filters: [{ field: 'sim.iccid', op: 'exists' }],
    privacy: { drop: ['endpoint'], hash: ['sim'] },
    destination: { connection_type: 'RestAPI', credentials },
  };
  const id = await client.createStream(token, body);
  const send = async (lines: readonly string[]) => {
    const answer = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
    });
    assert.equal(answer.status, 202, await answer.text());
  };
  const delivered = (count: number) =>
    waitFor(
      `${count} records`,
      () => bodies.filter((each) => each.startsWith('{')).length >= count || undefined,
    );
  const seen: string[] = [];
  const call = async (method: string, path: string, given?: object) => {
    const answer = await client.call(method, `${PATH}${path}`, token, given);
    assert.ok(answer.status < 300, answer.text);
    seen.push(answer.text);
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  };

  await send(LINES);
  await delivered(LINES.length);
  const live = bodies.filter((each) => each.startsWith('{'));
  assert.deepEqual(
    live.map((each) => JSON.parse(each).id),
    LINES.map((line) => JSON.parse(line).id),
  );
  const hashes = live.map((each) => JSON.parse(each).sim.iccid as string);
  assert.equal(new Set(hashes).size, new Set(ICCIDS).size);

  await call('POST', `/${id}/replay`, { from: 'earliest' });
  await delivered(LINES.length * 2);
  await call('POST', `/${id}/test_record`);
  await call('GET', `/${id}/tail`);
  const { sample_request, samples } = await call('POST', '/preview', body);
  assert.ok(samples.length > 0 && sample_request.request.body.includes(hashes.at(-1)));

  // A record that is refused while others are taken is quarantined.
  const refused = (LINES[0] as string).replace(/"id":\d+/, `"id":${REFUSED}`);
  await send([refused, LINES[1] as string]);
  const [quarantined] = await waitFor(
    'a record in quarantine',
    async () => {
      const found = await call('GET', `/${id}/quarantine`);
      return found.length > 0 ? found : undefined;
    },
    60_000,
    500,
  );
  assert.equal(JSON.parse(quarantined.record).sim.iccid, hashes[0]);
  await call('GET', `/${id}/quarantine/group`);
  refusing = false;
  const attempts = await call('GET', `/${id}/attempt`);
  for (const { id: attempt, has_exchange } of attempts)
    if (has_exchange) await call('GET', `/${id}/attempt/${attempt}`);

  await node.kill();
  const [before = '', after = ''] = secrets;
  const both = { SIMSTREAM_SECRET: after, SIMSTREAM_SECRET_PREVIOUS: before };
  node = await start({ ...both, SIMSTREAM_LOG_LEVEL: 'info' });
  await waitFor('the root is sealed again', () => node.output().includes('secret.rotated') || undefined);
  token = await client.authenticate(first);
  const { delivered: again } = await call('POST', `/${id}/quarantine/resend`);
  assert.equal(again, 1);
  await node.kill();
  node = await start({ SIMSTREAM_SECRET: after });
  token = await client.authenticate(first);
  bodies.length = 0;
  await send([LINES[1] as string]);
  await delivered(1);
  assert.equal(JSON.parse(bodies.find((each) => each.startsWith('{')) as string).sim.iccid, hashes[1]);

  const everything = [...bodies, ...live, ...seen].join('\n');
  for (const iccid of ICCIDS) assert.ok(!everything.includes(iccid), `${iccid} has left the node`);
  assert.doesNotMatch(everything, /"endpoint":/);
});
