import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';
import { fc } from './property.fixture.ts';

test('durations are read with their unit', () => {
  assert.equal(parseDuration('7d'), 604_800_000);
  assert.equal(parseDuration('24h'), 86_400_000);
  assert.equal(parseDuration('90s'), 90_000);
  assert.equal(parseDuration('1.5m'), 90_000);
  assert.equal(parseDuration('250ms'), 250);
});

test('what is not a duration is none', () => {
  for (const text of ['', '90', 's', '-1s', '1w', '1 h', '7d 1h', '1e3s', 'NaNs']) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('a formatted duration reads back as itself', () => {
  fc.assert(
    fc.property(fc.nat({ max: 400 * 86_400_000 }), (milliseconds) => {
      assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
    }),
  );
  assert.equal(formatDuration(604_800_000), '7d');
  assert.equal(formatDuration(0), '0ms');
});
