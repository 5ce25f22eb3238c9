import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Finding, fuzz } from './fuzz.ts';

/** `npm run fuzz` makes more calls, and others. */
test('2,000 calls that are drawn from the OpenAPI document are answered as it says', async () => {
  const findings: Finding[] = [];
  const { calls, statuses } = await fuzz({ seed: 1, cases: 2_000 }, (finding) => findings.push(finding));
  assert.deepEqual(findings.slice(0, 5), []);
  assert.ok(calls >= 2_000);
  // Calls of all kinds: taken, refused for their body, for their caller, for what they name.
  for (const status of [200, 201, 400, 401, 403, 404, 422])
    assert.ok((statuses[status] ?? 0) >= 10, `${status}: ${JSON.stringify(statuses)}`);
});
