import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Quarantined } from '../../delivery/quarantine/document.ts';
import type { Cause } from '../../destinations/contract.ts';
import { groupOf, groupQuarantined } from './quarantine-groups.ts';

const record = (place: number, cause: Partial<Cause> = {}, text = `{"id":${place}}`): Quarantined => ({
  id: String(place),
  kind: 'event',
  position: { sequence: place, index: 0 },
  at: place,
  arrivedAt: 0,
  cause: { code: 'http_422', message: `no such field in record ${place}`, remoteStatus: 422, ...cause },
  bytes: Buffer.from(text),
  facts: { organisation: 1 },
});

async function* all(records: readonly Quarantined[]): AsyncGenerator<Quarantined> {
  yield* records;
}

describe('the groups of a quarantine', () => {
  test('count records by reason, the largest first, with the newest as an example', async () => {
    const records = [record(1), record(2, { message: 'too long' }), record(3), record(4)];
    const { groups, more } = await groupQuarantined(all(records));
    assert.deepEqual(
      groups.map(({ records, message, firstAt, lastAt, example }) => [
        records,
        message,
        firstAt,
        lastAt,
        example.id,
      ]),
      [
        [3, 'no such field in record 4', 1, 4, '4'],
        [1, 'too long', 2, 2, '2'],
      ],
    );
    assert.equal(more, false);
  });

  test('hold apart what differs in code, status or words, and nothing else', () => {
    const base = record(1);
    assert.equal(groupOf(record(2)), groupOf(base));
    assert.equal(
      groupOf(record(1, { message: 'no such field in record "4f1c"' })),
      groupOf(record(1, { message: 'no such field in record "77"' })),
    );
    for (const other of [{ code: 'http_400' }, { remoteStatus: 400 }, { message: 'no such column' }]) {
      assert.notEqual(groupOf(record(1, other)), groupOf(base));
    }
  });

  test('are counted up to a limit of records and of characters, and say so', async () => {
    const records = Array.from({ length: 9 }, (_, place) => record(place, {}, 'x'.repeat(100)));
    const few = await groupQuarantined(all(records), { records: 5, characters: 1e9 });
    assert.deepEqual([few.records, few.more, few.groups[0]?.records], [5, true, 5]);
    const small = await groupQuarantined(all(records), { records: 100, characters: 300 });
    assert.deepEqual([small.records, small.more], [3, true]);
    const exact = await groupQuarantined(all(records), { records: 9, characters: 1e9 });
    assert.deepEqual([exact.records, exact.more], [9, false]);
  });

  test('are 50 at most, however differently a receiver words its refusals', async () => {
    const words = Array.from({ length: 80 }, (_, n) => record(n, { message: 'x'.repeat(n + 1) }));
    assert.equal((await groupQuarantined(all(words))).groups.length, 50);
  });
});
