import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { HISTORY, historyKey, STREAM, streamKey } from '../registry/data-stream.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Json } from '../registry/registry.ts';
import { remaskStored } from './remask.ts';

const stream = (id: string, url: string) =>
  ({ id, organisationId: 7, generation: 3, maskedCredentials: { url }, target: url }) as unknown as Json;

const hide = (text: string) => text.replaceAll('secret', '***');

async function setUp() {
  const registry = createMemoryRegistry();
  await registry.put(streamKey(7, 'old'), stream('old', 'https://h/secret'));
  await registry.put(streamKey(7, 'new'), stream('new', 'https://h/***'));
  const history = [
    { at: 1, state: 'running', message: 'The destination was changed: https://h/secret.', actor: 'user:ada' },
    { at: 2, state: 'paused', message: 'Paused.', actor: 'user:ada' },
  ];
  await registry.put(historyKey(7, 'old'), history as unknown as Json);
  const parts = {
    registry,
    clock: new ManualClock(),
    mask: ({
      maskedCredentials,
      target,
    }: {
      maskedCredentials: { [field: string]: Json };
      target: string;
    }) => ({
      maskedCredentials: { url: hide(String(maskedCredentials.url)) },
      target: hide(target),
    }),
    maskText: hide,
  };
  return { registry, parts };
}

test('documents and histories of an older version are masked, and nothing else of them changes', async () => {
  const { registry, parts } = await setUp();
  assert.equal(await remaskStored(parts, new AbortController().signal), 2);
  const found = (await STREAM.get(registry, streamKey(7, 'old')))?.document;
  assert.deepEqual(found, stream('old', 'https://h/***'));
  assert.deepEqual(
    (await HISTORY.get(registry, historyKey(7, 'old')))?.document.map(({ message }) => message),
    ['The destination was changed: https://h/***.', 'Paused.'],
  );
  const revision = (await registry.get(streamKey(7, 'new')))?.revision;
  assert.equal(await remaskStored(parts, new AbortController().signal), 0);
  assert.equal((await registry.get(streamKey(7, 'new')))?.revision, revision);
});

test('a node that stops meanwhile goes on at its next start', async () => {
  const { registry, parts } = await setUp();
  assert.equal(await remaskStored(parts, AbortSignal.abort()), undefined);
  assert.deepEqual((await registry.get(streamKey(7, 'old')))?.value, stream('old', 'https://h/secret'));
});
