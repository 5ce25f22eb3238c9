import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR_TOKEN, setUpApi } from '../api.fixture.ts';

test('the operator sees who is there and holds what; nobody else does', async () => {
  const api = await setUpApi();
  const { status, body } = await api.call('GET', '/operator/v1/nodes', { token: OPERATOR_TOKEN });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    nodes: [
      {
        name: 'a:8080',
        session: 'first',
        self: true,
        state: 'alive',
        started: '1970-01-02T00:00:00.000Z',
        version: '1.2.3',
        clock_skew_ms: 0,
        partitions: [{ partition: 1, epoch: 4, since: '1970-01-03T00:00:00.000Z' }],
      },
      {
        name: 'b:8080',
        session: 'second',
        self: false,
        state: 'silent',
        started: '1970-01-01T00:00:00.000Z',
        version: '1.2.3',
        clock_skew_ms: null,
        partitions: [],
      },
    ],
    unheld_partitions: [0],
    stuck_partitions: [],
    view: { age_ms: 120, quorum: true, faults: [] },
  });
  assert.equal((await api.call('GET', '/operator/v1/nodes', { token: 'ada' })).status, 401);
  await api.close();
});
