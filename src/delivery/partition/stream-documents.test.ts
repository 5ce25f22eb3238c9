import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { STREAM, streamKey } from '../../registry/data-stream.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import { readStreamDocuments } from './stream-documents.ts';

const STREAM_OF = { organisationId: 1, id: 'a', partition: 0 };

test('a revision that the storage never gives is waited for, and not for ever', async () => {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const document = { name: 'of the leader' } as unknown as DataStreamDocument;
  await STREAM.put(registry, streamKey(1, 'a'), document);
  const read: Awaited<ReturnType<typeof readStreamDocuments>>[] = [];
  const stop = new AbortController();
  const reading = readStreamDocuments(registry, clock, STREAM_OF, () => 1_000, stop.signal).then(
    (documents) => {
      read.push(documents);
    },
  );
  await clock.advance(10_000);
  assert.equal(read.length, 0);
  await clock.advance(10_000);
  assert.deepEqual(
    read.map((documents) => [documents?.document, documents?.revision]),
    [[document, 1_000]],
  );
  stop.abort();
  await reading;
});

test('a stream that is deleted while it is read is not taken for one that has not run yet', async () => {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const key = streamKey(1, 'a');
  await STREAM.put(registry, key, { name: 'old' } as unknown as DataStreamDocument);
  // The document is read, then both are deleted, and then the progress is read.
  const deleting = {
    ...registry,
    get: async (wanted: string) => {
      const entry = await registry.get(wanted);
      if (wanted === key) await registry.delete(key);
      return entry;
    },
  };
  let revision: number | undefined = 1;
  const reading = readStreamDocuments(
    deleting,
    clock,
    STREAM_OF,
    () => revision,
    new AbortController().signal,
  );
  await clock.advance(1_000);
  revision = undefined;
  await clock.advance(1_000);
  assert.equal(await reading, undefined);
});
