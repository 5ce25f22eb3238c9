import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOfTexts, sampleBatch, sampleFile, sampleRecord } from '../destinations/batches.fixture.ts';
import type { Batch, Destination, RecordFile, Segment } from '../destinations/contract.ts';
import type { Lease } from '../lib/memory-pool.ts';
import { recordBytes } from '../records/block.ts';
import { leaseOf, passingPayload } from '../records/leased-block.ts';
import { endpointIdOf, organisationOf } from '../records/record-index.ts';
import type { DataStreamDocument, RecordPrivacy } from '../registry/data-stream.ts';
import type { PrivacyKeys } from './keys.ts';
import { withPrivacy } from './opener.ts';

const keys: PrivacyKeys = { of: async () => ({ type: 'key', key: Buffer.alloc(32, 7) }) };
const signal = new AbortController().signal;

function receiver(takes: 'batches' | 'files') {
  const got: { batch?: Batch; segments: Segment[] } = { segments: [] };
  const rest = { verify: async () => ({ type: 'reachable' }) as const, close: async () => {} };
  const destination: Destination =
    takes === 'batches'
      ? {
          takes,
          ...rest,
          send: async (batch) => {
            got.batch = batch;
            got.segments = [...batch.segments];
            return { type: 'delivered' };
          },
        }
      : {
          takes,
          ...rest,
          store: async (file: RecordFile) => {
            got.segments = await Array.fromAsync(file.segments());
            return { type: 'delivered' };
          },
        };
  const open = async (privacy: RecordPrivacy | undefined, bytes = 100_000) => {
    const gathering = { by: 'batch', records: 100, bytes } as const;
    const opener = withPrivacy(async () => ({ type: 'open', destination, gathering }) as const, keys);
    return opener({ organisationId: 1, privacy } as DataStreamDocument);
  };
  return { got, destination, open };
}

const recordsOf = (segments: readonly Segment[]) =>
  segments.flatMap(({ block, from, to }) =>
    Array.from({ length: to - from }, (_, at) =>
      JSON.parse(Buffer.from(recordBytes(block, from + at)).toString()),
    ),
  );
const keysOf = (segments: readonly Segment[]) =>
  segments.flatMap(({ block, from, to }) =>
    Array.from({ length: to - from }, (_, at) => endpointIdOf(block, from + at)),
  );

test('a stream without privacy gets the destination itself', async () => {
  const { open, destination } = receiver('batches');
  const opened = await open(undefined);
  assert.ok(opened.type === 'open' && opened.destination === destination);
});

test('batches and files hold the records in order, without what is private', async () => {
  for (const takes of ['batches', 'files'] as const) {
    const { open, got } = receiver(takes);
    const opened = await open({ drop: ['sim', 'endpoint.name'], hash: ['endpoint.id'] });
    assert.ok(opened.type === 'open');
    const { destination } = opened;
    if (destination.takes === 'batches') await destination.send(sampleBatch({ to: 20, blocks: 3 }), signal);
    else await destination.store(sampleFile({ to: 20, blocks: 3 }), signal);
    const records = recordsOf(got.segments);
    const expected = Array.from({ length: 20 }, (_, n) => JSON.parse(sampleRecord('usage', n)));
    assert.deepEqual(
      records.map(({ id }) => id),
      expected.map(({ id }) => id),
    );
    assert.ok(records.every(({ sim, endpoint }) => !sim && !('name' in endpoint)));
    assert.ok(records.every(({ endpoint }) => /^[0-9a-f]{64}$/.test(endpoint.id)));
    // Five devices before and after: order per device holds, and no key is an id.
    const texts = keysOf(got.segments);
    assert.equal(new Set(texts).size, 5);
    assert.ok(
      records.every(
        ({ endpoint }, at) => BigInt(`0x${endpoint.id.slice(0, 16)}`) === BigInt(texts[at] as string),
      ),
    );
    assert.ok(got.segments.every(({ block }) => organisationOf(block, 0) > 0));
    if (got.batch) assert.ok(got.batch.bytes >= Buffer.byteLength(JSON.stringify(records[0])) * 20);
  }
});

test('what a connector only looks at is in memory that is used again; what it keeps is not', async () => {
  const privacy: RecordPrivacy = { drop: [], hash: ['imsi'] };
  const large = () => sampleBatch({ to: 100 });
  const seen: { text: string; kept: Uint8Array; lease: Lease | undefined }[] = [];
  let keeps = false;
  const destination: Destination = {
    takes: 'batches',
    verify: async () => ({ type: 'reachable' }),
    close: async () => {},
    send: async ({ segments }) => {
      const { block } = [...segments][0] as Segment;
      const kept = keeps ? block.payload() : passingPayload(block);
      seen.push({ text: Buffer.from(kept).toString(), kept, lease: leaseOf(block) });
      return { type: 'delivered' };
    },
  };
  const gathering = { by: 'batch', records: 100, bytes: 10_000_000 } as const;
  const opener = withPrivacy(async () => ({ type: 'open', destination, gathering }) as const, keys);
  const opened = await opener({ organisationId: 1, privacy } as DataStreamDocument);
  assert.ok(opened.type === 'open' && opened.destination.takes === 'batches');
  await opened.destination.send(large(), signal);
  keeps = true;
  await opened.destination.send(large(), signal);
  keeps = false;
  await opened.destination.send(large(), signal);
  const [looked, kept] = seen;
  assert.ok(looked && kept && looked.text.length > 16_384);
  assert.equal(looked.lease?.bytes, undefined);
  assert.equal(kept.text, Buffer.from(kept.kept).toString());
});

test('a dropped endpoint has no key', async () => {
  for (const path of ['endpoint', 'endpoint.id']) {
    const { open, got } = receiver('batches');
    const opened = await open({ drop: [path], hash: [] });
    assert.ok(opened.type === 'open' && opened.destination.takes === 'batches');
    await opened.destination.send(sampleBatch({ to: 3 }), signal);
    assert.deepEqual(keysOf(got.segments), ['', '', '']);
  }
});

test('what outgrows the connector by its hashes is split, and fewer bytes are gathered', async () => {
  const { open, got } = receiver('batches');
  const opened = await open({ drop: [], hash: ['tags'] }, 1_000);
  assert.ok(opened.type === 'open' && opened.destination.takes === 'batches');
  assert.ok(opened.gathering.by === 'batch' && opened.gathering.bytes < 1_000);
  const texts = [0, 1].map((id) => `{"id":${id},"tags":[${Array(20).fill(1).join(',')}]}`);
  const outcome = await opened.destination.send(batchOfTexts('usage', texts), signal);
  assert.equal(outcome.type, 'too_large');
  await opened.destination.send(batchOfTexts('usage', texts.slice(0, 1)), signal);
  assert.equal(recordsOf(got.segments).length, 1);
});

test('the copies that a batch is made of count in the memory of the stream', async () => {
  const copiesOf = async (privacy: RecordPrivacy) => {
    const opened = await receiver('batches').open(privacy);
    assert.ok(opened.type === 'open' && opened.gathering.by === 'batch');
    return opened.gathering.copies;
  };
  assert.equal(await copiesOf({ drop: ['sim'], hash: [] }), 1);
  const hashed = await copiesOf({ drop: [], hash: ['imsi', 'sim.iccid'] });
  assert.ok(hashed !== undefined && hashed > 1.3 && hashed < 1.4, String(hashed));
});

test('without its key nothing is delivered', async () => {
  for (const of of [
    async () => ({ type: 'fault', message: 'sealed with another secret' }) as const,
    async () => Promise.reject(new Error('the store does not answer')),
  ]) {
    const { destination } = receiver('batches');
    const gathering = { by: 'batch', records: 1, bytes: 1 } as const;
    const opener = withPrivacy(async () => ({ type: 'open', destination, gathering }) as const, { of });
    const opened = await opener({
      organisationId: 1,
      privacy: { drop: ['a'], hash: [] },
    } as unknown as DataStreamDocument);
    assert.ok(opened.type === 'failed' && 'actor' in opened);
    assert.equal(opened.actor, 'operator');
    assert.doesNotMatch(opened.cause.message, /secret|store/);
  }
});
