import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const FILES = [
  { path: 'usage', type: 1, samples: ['usage-samples'] },
  { path: 'events', type: 2, samples: ['event-samples', 'event-samples-stream-form'] },
  { path: 'sms', type: 4, samples: ['sms-samples'] },
] as const;

test('every sample record is accepted, and delivered byte for byte, in order', {
  timeout: 180_000,
}, async (t) => {
  const received = new Map<string, string[]>();
  const receiver = await startReceiver(({ path, body }) => {
    received.set(path, [...(received.get(path) ?? []), body.toString('utf8')]);
    return { status: 200 };
  });
  const dataDirectory = temporaryDirectory();
  const node = await startNode({ dataDirectory });
  t.after(async () => {
    await node.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  const lines = FILES.map(({ samples }) => samples.flatMap((name) => linesOf(name)));
  const organisations = new Set(lines.flat().map((line) => JSON.parse(line).organisation.id as number));
  const [first = 0, ...children] = organisations;
  await client.createOrganisation(first, 'Parent');
  for (const id of children) await client.createOrganisation(id, `Child ${id}`, first);
  const token = await client.authenticate(first);
  for (const [index, { path, type }] of FILES.entries()) {
    const credentials = { url: `${receiver.url}/${path}`, size: 1 };
    await client.createStream(token, {
      data_stream_type: { id: type },
      relation_resolution: { id: 3 },
      destination: { connection_type: 'RestAPI', credentials },
    });
    const answer = await fetch(`${node.url}/operator/v1/records/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/x-ndjson' },
      body: `${lines[index]?.join('\n')}\n`,
    });
    assert.equal(answer.status, 202);
    assert.deepEqual(await answer.json(), { accepted: lines[index]?.length });
  }
  for (const [index, { path }] of FILES.entries()) {
    await waitFor(`all ${path}`, () =>
      received.get(`/${path}`)?.length === lines[index]?.length ? true : undefined,
    );
    assert.deepEqual(received.get(`/${path}`), lines[index]);
  }
});

function linesOf(name: string): string[] {
  const file = new URL(`./fixtures/samples/${name}.ndjson`, import.meta.url);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
