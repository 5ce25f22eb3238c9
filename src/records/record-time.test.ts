import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordTime } from './record-time.ts';

test('every form of a timestamp names the same moment', () => {
  const moment = Date.UTC(2025, 2, 17, 6, 2, 48);
  for (const text of [
    '2025-03-17T06:02:48Z',
    '2025-03-17T06:02:48.000Z',
    '2025-03-17T06:02:48.000+0000',
    '2025-03-17T06:02:48.000+00:00',
    '2025-03-17T08:02:48+0200',
    '2025-03-17 06:02:48',
    '2025-03-17T06:02:48',
    '2025-03-17T06:02:48.000000000Z',
  ]) {
    assert.equal(recordTime(text), moment, text);
  }
  assert.equal(recordTime('2025-03-17T06:02:48.118Z'), moment + 118);
  assert.equal(recordTime('2025-03-17T06:02:48.1Z'), moment + 100);
});

test('what is not a timestamp has no moment', () => {
  for (const text of [undefined, '', '17.03.2025', '2025-13-17T06:02:48Z', '1742191368', '2025-03-17']) {
    assert.equal(recordTime(text), undefined, text);
  }
});
