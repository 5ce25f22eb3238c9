import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CloudEvent, HTTP } from 'cloudevents';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { temporaryDirectory } from './support/owned.ts';

const MAPPINGS = 'examples/mappings';
const OWN = 70412;
const OTHER = 70413;

test('records of other platforms and CloudEvents are durable, and each organisation lists its own events', {
  timeout: 300_000,
}, async (t) => {
  const options = { dataDirectory: temporaryDirectory(), environment: { SIMSTREAM_MAPPINGS: MAPPINGS } };
  let node: NodeProcess = await startNode(options);
  t.after(() => node.kill());
  const send = async (kind: 'usage' | 'events', body: string, headers: Record<string, unknown>) => {
    const answer = await fetch(`${node.url}/operator/v1/records/${kind}`, {
      method: 'POST',
      headers: { ...(headers as Record<string, string>), authorization: `Bearer ${OPERATOR_TOKEN}` },
      body,
    });
    return [answer.status, await answer.json()];
  };
  const file = (name: string) => readFileSync(join(MAPPINGS, name), 'utf8');
  const mapped = (name: string, suffix: string) => ({
    'content-type': `application/vnd.simstream.${name}+${suffix}`,
  });
  const accepted = [202, { accepted: 1 }];
  const api = createApiClient(node.url);
  await api.createOrganisation(OWN, 'Own');
  await api.createOrganisation(OTHER, 'Other');
  assert.deepEqual(await send('usage', file('1nce-usage.csv'), mapped('1nce-usage', 'csv')), accepted);
  assert.deepEqual(await send('events', file('1nce-events.csv'), mapped('1nce-events', 'csv')), accepted);
  assert.deepEqual(
    await send('events', file('onomondo-events.json'), mapped('onomondo-events', 'json')),
    accepted,
  );
  const cloudEvent = (id: string, type: number) =>
    new CloudEvent({
      id,
      source: '/meters',
      type: 'com.example.event',
      time: '2026-03-18T06:02:48Z',
      datacontenttype: 'application/json',
      data: { event_type: { id: type }, organisation: { id: OWN }, alert: true },
    });
  const { body, headers } = HTTP.structured(cloudEvent('1', 11));
  assert.deepEqual(await send('events', String(body), headers), accepted);
  const binary = HTTP.binary(cloudEvent('2', 12));
  assert.deepEqual(await send('events', String(binary.body), binary.headers), accepted);
  const batch = [cloudEvent('3', 13), cloudEvent('4', 14)];
  assert.deepEqual(
    await send('events', JSON.stringify(batch), { 'content-type': 'application/cloudevents-batch+json' }),
    [202, { accepted: 2 }],
  );

  const events = async (organisation: number, query = '') => {
    const token = await createApiClient(node.url).authenticate(organisation);
    const { status, text, headers: answered } = await api.call('GET', `/api/v1/event${query}`, token);
    assert.equal(status, 200, text);
    return [
      (JSON.parse(text) as { event_type: { id: number } }[]).map(({ event_type }) => event_type.id),
      answered.get('x-total-count'),
    ];
  };
  const look = async () => {
    assert.deepEqual(await events(OWN), [[14, 13, 12, 11, 3], '5']);
    assert.deepEqual(await events(OTHER), [[1], '1']);
    assert.deepEqual(await events(OWN, '?q=alert:true,type:11|13'), [[13, 11], '2']);
    assert.deepEqual(await events(OWN, '?per_page=1&page=5'), [[3], '5']);
    assert.deepEqual(await events(OWN, '?q=from:2026-03-18,until:2026-03-19,type:11'), [[11], '1']);
  };
  await look();
  await node.kill();
  node = await startNode({ ...options, port: node.port });
  await look();
});

test('a node does not start with a mapping that means nothing, and names it', {
  timeout: 180_000,
}, async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'acme.mapping.json'), '{"kind": "usage", "format": "csv", "fields": {}}');
  const environment = { SIMSTREAM_MAPPINGS: directory };
  await assert.rejects(startNode({ dataDirectory: temporaryDirectory(), environment }), (error: Error) => {
    assert.match(
      error.message,
      /SIMSTREAM_MAPPINGS: .*acme\.mapping\.json: \/fields has no id, which every record/,
    );
    return true;
  });
});
