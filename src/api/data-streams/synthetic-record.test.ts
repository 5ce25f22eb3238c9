import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TEST_RECORDS_A_MINUTE } from '../../auth/rate-limit.ts';
import { type ApiFixture, setUpApi } from '../api.fixture.ts';

let api: ApiFixture;
let path: string;
let id: string;
before(async () => {
  api = await setUpApi();
  id = await api.create();
  path = `/api/v2/data_stream/${id}/test_record`;
});
after(() => api.close());

test('the answer says what became of the record; nothing of the stream moves', async () => {
  const before = await api.everything();
  const { status, body } = await api.call('POST', path);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    outcome: 'delivered',
    code: null,
    remote_status: 200,
    message: 'The destination took the test record.',
    duration_ms: 12.3,
    exchange: null,
  });
  assert.deepEqual(api.testRecords.asked, [`1 One ${id}`]);
  assert.equal(await api.everything(), before);
});

test('what the destination did not take is 200 too, with the cause', async () => {
  const cause = { code: 'http_401', message: 'It answered 401.', remoteStatus: 401 };
  api.testRecords.result = { outcome: 'refused', cause, remoteStatus: 401, durationMs: 1 };
  const { status, body } = await api.call('POST', path);
  assert.equal(status, 200);
  const { outcome, code, remote_status, message } = body;
  assert.deepEqual([outcome, code, remote_status, message], ['refused', 'http_401', 401, 'It answered 401.']);
});

test('observers and other organisations may not', async () => {
  assert.equal((await api.call('POST', path, { token: 'otto' })).status, 403);
  assert.equal((await api.call('POST', path, { token: 'bea' })).status, 404);
});

test('an organisation sends so many in a minute', async () => {
  await api.clock.advance(60_000);
  const asked = api.testRecords.asked.length;
  const statuses: number[] = [];
  for (let n = 0; n < TEST_RECORDS_A_MINUTE; n++) statuses.push((await api.call('POST', path)).status);
  assert.deepEqual(new Set(statuses), new Set([200]));
  const { status, body, headers } = await api.call('POST', path);
  assert.equal(status, 429);
  assert.match(body.message, new RegExp(`test records .*${TEST_RECORDS_A_MINUTE} a minute`));
  assert.equal(headers['retry-after'], '60');
  assert.equal(api.testRecords.asked.length - asked, TEST_RECORDS_A_MINUTE);
  await api.clock.advance(60_000);
  assert.equal((await api.call('POST', path)).status, 200);
});
