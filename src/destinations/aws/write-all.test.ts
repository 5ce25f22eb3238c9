import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import { writeAll } from './write-all.ts';

test('however little the system takes at a time, every byte is written once and in order', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 9 })),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
      async (parts, takes) => {
        const written: number[] = [];
        let call = 0;
        await writeAll(
          {
            writev: async (rest) => {
              const taken = Buffer.concat([...rest]).subarray(0, takes[call++ % takes.length]);
              written.push(...taken);
              return { bytesWritten: taken.length };
            },
          },
          parts,
        );
        assert.deepEqual(written, [...Buffer.concat(parts)]);
      },
    ),
  ));

test('a system that takes nothing is a full disk, not an endless loop', () =>
  assert.rejects(writeAll({ writev: async () => ({ bytesWritten: 0 }) }, [Buffer.from('a')]), {
    code: 'ENOSPC',
  }));
