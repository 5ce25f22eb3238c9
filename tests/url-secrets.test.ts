import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../src/lib/system-clock.ts';
import { STREAM, streamKey } from '../src/registry/data-stream.ts';
import { createLmdbRegistry } from '../src/registry/lmdb.ts';
import type { Json } from '../src/registry/registry.ts';
import { openLmdb } from '../src/storage/lmdb.ts';
import { type ApiClient, createApiClient } from './support/api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const [OLD, NEW] = [3, 4].map((fill) => Buffer.alloc(32, fill).toString('base64')) as [string, string];
const SETTINGS = { SIMSTREAM_LOG_LEVEL: 'debug', SIMSTREAM_RATE_READS: '0', SIMSTREAM_RATE_WRITES: '0' };
/** Each is in one place of a destination; none may be seen in any other place. */
const CANARIES = {
  path: 'canary-path-5d1c7f3a',
  query: 'canary-query-8e21',
  encoded: 'canary+encoded/9a',
  header: 'canary-header-77b0',
  signing: 'canary-signing-41c9',
};
const PATH = `/hook/${CANARIES.path}?code=${CANARIES.query}&t=${encodeURIComponent(CANARIES.encoded)}`;
const SPELLINGS = [...Object.values(CANARIES), encodeURIComponent(CANARIES.encoded)];

function assertClean(place: string, text: string): void {
  for (const canary of SPELLINGS) {
    const at = text.indexOf(canary);
    assert.equal(at, -1, `${place} shows ${canary}: …${text.slice(Math.max(0, at - 80), at + 60)}…`);
  }
}

/** Every call of the API that reads, about one data stream. */
async function answers(api: ApiClient, token: string, id: string): Promise<Map<string, string>> {
  const document = JSON.parse((await api.call('GET', '/api/openapi.json', '')).text) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const found = new Map<string, string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!methods.get) continue;
    const operators = path.startsWith('/operator/');
    const url = path.replace(/\{[^}]*\}/, operators ? String(ORGANISATION) : id).replace(/\{[^}]*\}/, 'x');
    const answer = await api.call('GET', url, operators ? OPERATOR_TOKEN : token);
    assert.ok(answer.status < 500, `${url}: ${answer.text}`);
    found.set(`GET ${url}`, answer.text);
  }
  return found;
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

test('secrets of a destination are in no file, answer, metric or log line, whatever its receiver says', {
  timeout: 300_000,
}, async (t) => {
  let behave: 'fail' | 'refuse' | 'take' = 'fail';
  const taken: string[] = [];
  const receiver = await startReceiver(({ path, headers, body, method }) => {
    const echo = `Cannot ${method} ${path} (${decodeURIComponent(path)}) with ${JSON.stringify(headers)} and ${CANARIES.signing}`;
    if (behave === 'fail') return { status: 503, body: echo };
    if (behave === 'refuse' && /00000000000002\b/.test(body.toString())) return { status: 400, body: echo };
    taken.push(path);
    return { status: 200 };
  });
  const dataDirectory = temporaryDirectory();
  let node: NodeProcess | undefined;
  let log = '';
  t.after(async () => {
    await node?.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const stop = async () => {
    await node?.stop();
    log += node?.output() ?? '';
  };
  const restart = async (environment: Record<string, string>) => {
    await stop();
    node = await startNode({ dataDirectory, environment: { ...environment, ...SETTINGS } });
    return createApiClient(node.url);
  };

  let api = await restart({ SIMSTREAM_SECRET: OLD });
  await api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await api.authenticate(ORGANISATION);
  const url = receiver.url + PATH;
  const credentials = {
    url,
    headers: [`Authorization:Bearer ${CANARIES.header}`],
    signing_secret: CANARIES.signing,
    size: 10,
  };
  const destination = { connection_type: 'RestAPI', credentials };
  const id = await api.createStream(token, { data_stream_type: { id: 1 }, destination });

  const records = new UsageRecords(ORGANISATION);
  const body = records.batch(0, 5).toString();
  const sent = await fetch(`${api.url}/operator/v1/records/usage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body,
  });
  assert.equal(sent.status, 202, await sent.text());
  await waitFor('a failure is shown', async () => (await api.stream(token, id)).last_error ?? undefined);
  for (const [place, text] of await answers(api, token, id)) assertClean(place, text);
  behave = 'refuse';
  const path = `/api/v2/data_stream/${id}`;
  assert.equal((await api.call('POST', `${path}/restart`, token)).status, 202);
  await waitFor('a record is quarantined', async () =>
    (await api.stream(token, id)).progress.quarantined > 0 ? true : undefined,
  );
  const shown = JSON.parse((await api.call('GET', path, token)).text);
  assert.equal(shown.destination.credentials.url, `${receiver.url}/hook/***?code=***&t=***`);
  assert.equal(shown.destination.target, `${receiver.url}/hook/***`);

  // The masks that were shown keep what is stored, beside a change of another field.
  const change = { connection_type: 'RestAPI', credentials: { ...shown.destination.credentials, size: 3 } };
  assert.equal((await api.call('PATCH', path, token, { destination: change })).status, 202);
  // A destination that cannot be reached is a fault that tells no more than the host.
  const elsewhere = {
    connection_type: 'RestAPI',
    credentials: { url: `http://127.0.0.1:1${PATH}`, headers: [`X:${CANARIES.header}`] },
  };
  const refused = await api.call('POST', '/api/v2/data_stream/test', token, {
    data_stream_type: { id: 1 },
    destination: elsewhere,
  });
  assert.equal(refused.status, 422);
  assertClean('a test that fails', refused.text);
  for (const wrong of ['ftp://h/', 'https://u:p@h/'].map((text) => text + PATH)) {
    const answer = await api.call('PATCH', path, token, {
      destination: { connection_type: 'RestAPI', credentials: { ...credentials, url: wrong } },
    });
    assert.equal(answer.status, 422);
    assertClean('a fault of the form', answer.text);
  }
  for (const [place, text] of await answers(api, token, id)) assertClean(place, text);
  await stop();
  for (const file of filesBelow(dataDirectory)) assertClean(file, readFileSync(file).toString('latin1'));
  assertClean('the log', log);

  // What a version stored that did not mask URLs, before the secret was rotated.
  const lmdb = await openLmdb(dataDirectory, { clock: systemClock });
  const registry = createLmdbRegistry(lmdb);
  const stored = (await STREAM.get(registry, streamKey(ORGANISATION, id))) ?? assert.fail();
  const clear = { ...stored.document.maskedCredentials, url } as { [field: string]: Json };
  await STREAM.put(registry, stored.key, {
    ...stored.document,
    maskedCredentials: clear,
    target: receiver.url + PATH.replace(/\?.*/, ''),
  });
  await lmdb.close();
  node = undefined;
  behave = 'take';
  api = await restart({ SIMSTREAM_SECRET: NEW, SIMSTREAM_SECRET_PREVIOUS: OLD });
  const again = await waitFor('the stored URL is masked', async () => {
    const { text } = await api.call('GET', path, token);
    return text.includes('/hook/***?code=***') ? text : undefined;
  });
  assertClean('a stream of an older version', again);
  await waitFor('the secret is rotated', () => node?.output().includes('secret.rotated') || undefined);
  const before = taken.length;
  const more = await fetch(`${api.url}/operator/v1/records/usage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body: records.batch(5, 2).toString(),
  });
  assert.equal(more.status, 202);
  await waitFor('the stored URL is used', () => taken.length > before || undefined);
  assert.equal(taken.at(-1), PATH);
});
