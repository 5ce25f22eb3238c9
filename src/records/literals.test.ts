import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { recordTime } from './record-time.ts';
import { isTimestampAt } from './timestamp.ts';
import { isRecordId, unsignedAt } from './unsigned.ts';

/** In the middle of other bytes, so that looking beyond the ends is found out. */
function within<T>(text: string, read: (bytes: Uint8Array, from: number, to: number) => T): T {
  const bytes = Buffer.from(`9${text}9`);
  return read(bytes, 1, bytes.length - 1);
}

describe('integers', () => {
  const edges = [
    0n,
    1n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n,
    10n ** 15n,
    10n ** 16n,
    10n ** 19n,
    10n ** 20n,
  ];
  const integer = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 70n }),
    fc
      .tuple(fc.constantFrom(...edges), fc.bigInt(-20n, 20n))
      .map(([edge, off]) => (edge + off < 0n ? 0n : edge + off)),
  );

  test('are record ids up to 2^64 - 1', () => {
    fc.assert(
      fc.property(integer, (value) => assert.equal(within(`${value}`, isRecordId), value < 2n ** 64n)),
      { numRuns: 1000 },
    );
  });

  test('are read up to 2^53 - 1', () => {
    fc.assert(
      fc.property(integer, (value) =>
        assert.equal(within(`${value}`, unsignedAt), value < 2n ** 53n ? Number(value) : -1),
      ),
      { numRuns: 1000 },
    );
  });

  test('have digits only', () => {
    for (const text of ['-1', '-0', '1.0', '1e1', '1E1', '0.1']) {
      assert.equal(within(text, isRecordId), false);
      assert.equal(within(text, unsignedAt), -1);
    }
  });
});

describe('timestamps', () => {
  const pad = (value: number, width: number) => String(value).padStart(width, '0');
  const date = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });

  test('are taken in the forms that are documented', () => {
    fc.assert(
      fc.property(
        date,
        fc.constantFrom('Z', 'z', '+0000', '+00:00', '+02:00', '-0530', '+14', '-23:59'),
        fc.nat({ max: 999_999_999 }),
        (when, zone, nanos) => {
          const whole = when.toISOString().slice(0, 19);
          const forms = [
            `${whole}${zone}`,
            `${whole}.${pad(nanos, 9)}${zone}`,
            `${whole}.${nanos % 10}${zone}`,
            `${whole}.${pad(nanos % 1000, 3)}${zone}`,
            `${whole.replace('T', 't')}${zone}`,
            `${whole.replace('T', ' ')}${zone}`,
            `${whole.replace('T', ' ')}.${pad(nanos, 9)}`,
            whole.replace('T', ' '),
          ];
          for (const form of forms) {
            assert.equal(within(form, isTimestampAt), true, form);
            assert.notEqual(recordTime(form), undefined, form);
          }
        },
      ),
    );
  });

  test('have a day and a time that there is', () => {
    const part = fc.nat({ max: 99 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9999 }),
        part,
        part,
        part,
        part,
        part,
        (year, month, day, hour, minute, second) => {
          const text = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${pad(hour, 2)}:${pad(minute, 2)}:${pad(second, 2)}Z`;
          const when = new Date(text);
          const exists =
            !Number.isNaN(when.getTime()) && when.toISOString().slice(0, 19) === text.slice(0, 19);
          assert.equal(within(text, isTimestampAt), exists, text);
        },
      ),
      {
        numRuns: 2000,
        examples: [
          [2024, 2, 29, 0, 0, 0],
          [2023, 2, 29, 0, 0, 0],
          [1900, 2, 29, 0, 0, 0],
          [2000, 2, 29, 23, 59, 59],
          [2025, 4, 31, 0, 0, 0],
          [2025, 12, 31, 24, 0, 0],
          [2025, 12, 31, 23, 59, 60],
        ],
      },
    );
  });

  test('are nothing else', () => {
    const wrong = [
      '',
      '2025-03-17',
      '2025-03-17T06:02:48',
      '2025-03-17T06:02Z',
      '2025-03-17T06:02:48.Z',
      '2025-03-17T06:02:48.1234567890Z',
      '2025-03-17T06:02:48+0',
      '2025-03-17T06:02:48+000',
      '2025-03-17T06:02:48+00:0',
      '2025-03-17T06:02:48+24:00',
      '2025-03-17T06:02:48+01:60',
      '2025-03-17T06:02:48+00000',
      '2025-03-17T06:02:48 +00:00',
      '2025-03-17 06:02:48.',
      '2025-03-17_06:02:48Z',
      '2025-03-17T06:02:48.000',
      '2025/03/17T06:02:48Z',
      ' 2025-03-17T06:02:48Z',
      '2025-03-17T06:02:48Z ',
      '20x5-03-17T06:02:48Z',
      '+025-03-17T06:02:48Z',
    ];
    for (const text of wrong) assert.equal(within(text, isTimestampAt), false, text);
  });
});
