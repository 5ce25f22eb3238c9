import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime } from './time.ts';

test('times are read in every form of ISO 8601 that people write, without a zone as UTC', () => {
  const times = {
    '2030-01-31': '2030-01-31T00:00:00.000Z',
    '2030-01-31 10:00:00': '2030-01-31T10:00:00.000Z',
    '2030-01-31t10:00:00z': '2030-01-31T10:00:00.000Z',
    '2030-01-31T10:00:00.5Z': '2030-01-31T10:00:00.500Z',
    '2030-01-31T10:00-02:00': '2030-01-31T12:00:00.000Z',
    '2030-01-31T10:00:00.000+0130': '2030-01-31T08:30:00.000Z',
    '2028-02-29': '2028-02-29T00:00:00.000Z',
  };
  for (const [given, expected] of Object.entries(times)) {
    const time = parseTime(given);
    assert.equal(time !== undefined && new Date(time).toISOString(), expected, given);
  }
});

test('what is not a time is none', () => {
  const wrong = [
    '',
    'tomorrow',
    '2030-02-30',
    '2030-13-01',
    '2030-01-31T25:00:00Z',
    '31.01.2030',
    '1900000000',
  ];
  for (const given of wrong) assert.equal(parseTime(given), undefined, given);
});
