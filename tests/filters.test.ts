import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accepts } from '../src/filters/filters.fixture.ts';
import type { Json } from '../src/registry/registry.ts';
import { createApiClient } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const FILTERS: Readonly<Record<'usage' | 'events', readonly Json[][]>> = {
  usage: [
    [{ field: 'volume.total', op: 'gt', value: 0.1 }],
    [{ field: 'volume.total', op: 'not_in', value: ['1.0', 0] }],
    [
      {
        any: [
          { field: 'cost', op: 'lt', value: '0.001' },
          { field: 'endpoint.tags', op: 'exists', value: false },
        ],
      },
    ],
    [{ not: { field: 'endpoint.tags', op: 'contains', value: ['berth', 'north'] } }],
  ],
  events: [
    [{ field: 'detail.pdp_context.apn', op: 'exists' }],
    [
      { field: 'endpoint.id', op: 'exists', value: false },
      { field: 'event_severity.id', op: 'gte', value: 0 },
    ],
    [
      { field: 'description', op: 'contains', value: ['PDP', 'login'] },
      { or: [{ field: 'event_type.id', value: [1, 3] }] },
    ],
  ],
};
const SAMPLES = { usage: ['usage-samples'], events: ['event-samples', 'event-samples-stream-form'] } as const;

test('streams with filters on fields deliver what passes, in order, and count the rest', {
  timeout: 180_000,
}, async (t) => {
  const received = new Map<string, string[]>();
  const receiver = await startReceiver(({ path, body }) => {
    received.set(path, [...(received.get(path) ?? []), body.toString('utf8')]);
    return { status: 200 };
  });
  const dataDirectory = temporaryDirectory();
  const node = await startNode({
    dataDirectory,
    environment: { SIMSTREAM_RATE_READS: '0' },
  });
  t.after(async () => {
    await node.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  const lines = { usage: SAMPLES.usage.flatMap(linesOf), events: SAMPLES.events.flatMap(linesOf) };
  const [first = 0, ...others] = new Set(
    Object.values(lines)
      .flat()
      .map((line) => JSON.parse(line).organisation.id as number),
  );
  await client.createOrganisation(first, 'Parent');
  for (const id of others) await client.createOrganisation(id, `Child ${id}`, first);
  const token = await client.authenticate(first);
  const streams: { path: string; id: string; filters: Json[]; expected: string[]; filtered: number }[] = [];
  for (const kind of ['usage', 'events'] as const) {
    for (const [at, filters] of FILTERS[kind].entries()) {
      const path = `/${kind}/${at}`;
      const id = await client.createStream(token, {
        data_stream_type: { id: kind === 'usage' ? 1 : 2 },
        relation_resolution: { id: 3 },
        filters,
        destination: { connection_type: 'RestAPI', credentials: { url: receiver.url + path, size: 1 } },
      });
      const expected = lines[kind].filter((line) => accepts(filters, line));
      streams.push({ path, id, filters, expected, filtered: lines[kind].length - expected.length });
      assert.ok(expected.length > 0 && expected.length < lines[kind].length, `${path} distinguishes`);
    }
    const answer = await fetch(`${node.url}/operator/v1/records/${kind}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/x-ndjson' },
      body: `${lines[kind].join('\n')}\n`,
    });
    assert.equal(answer.status, 202, await answer.text());
  }
  /** What the preview says of the records that were delivered. */
  const checkPreview = async (path: string, filters: Json[], expected: string[], records: number) => {
    const { status, text } = await client.call('POST', '/api/v2/data_stream/preview', token, {
      data_stream_type: { id: path.startsWith('/usage') ? 1 : 2 },
      relation_resolution: { id: 3 },
      filters,
      destination: {
        connection_type: 'RestAPI',
        credentials: { url: receiver.url + path, headers: ['X-Key:top secret'], size: 1 },
      },
    });
    assert.equal(status, 200, text);
    const { hours, samples, sample_request, complete } = JSON.parse(text);
    const sum = (name: 'records' | 'matched') =>
      hours.reduce((total: number, hour: Record<string, number>) => total + (hour[name] ?? 0), 0);
    assert.deepEqual([sum('records'), sum('matched'), complete], [records, expected.length, true]);
    const newest = expected.toReversed().slice(0, 20);
    assert.deepEqual(
      samples,
      newest.map((line) => JSON.parse(line)),
    );
    const { method, url, headers, body } = sample_request.request;
    assert.deepEqual([method, url, body], ['POST', receiver.url + path, newest[0]]);
    assert.doesNotMatch(JSON.stringify(headers), /top secret/);
    assert.equal(received.get(path)?.length, expected.length, 'nothing was sent');
  };
  for (const { path, id, filters, expected, filtered } of streams) {
    await waitFor(`${path} to have ${expected.length} delivered and ${filtered} filtered`, async () => {
      const { progress } = await client.stream(token, id);
      return progress.delivered === expected.length && progress.filtered === filtered ? true : undefined;
    });
    assert.deepEqual(received.get(path), expected);
    await checkPreview(path, filters, expected, expected.length + filtered);
  }
});

function linesOf(name: string): string[] {
  const file = new URL(`./fixtures/samples/${name}.ndjson`, import.meta.url);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
