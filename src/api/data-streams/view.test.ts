import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataStreamDocument, ProgressDocument } from '../../registry/data-stream.ts';
import { statusOfHeld } from './view.ts';

test('a data stream that no node runs says so in plain words, unless it is not to run', () => {
  const stream = { partition: 3, desired: 'running', generation: 1, modified: '2026-01-01T00:00:00Z' };
  const at = (state: 'running' | 'error', desired = 'running', stuck = [3]) =>
    statusOfHeld(
      { ...stream, desired } as DataStreamDocument,
      { generation: 1, status: { state, message: 'Running.', since: 0 } } as ProgressDocument,
      stuck,
    ).message;
  const words = /^Running\. At the moment no node of simstream runs this data stream\. Its records wait/;
  assert.match(at('running'), words);
  assert.match(statusOfHeld(stream as DataStreamDocument, undefined, [3]).message, /no node of simstream/);
  assert.equal(at('running', 'running', [2]), 'Running.');
  assert.equal(at('error'), 'Running.');
  assert.doesNotMatch(at('running', 'paused'), /no node/);
});
