import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallOptions, OPERATOR_TOKEN, STREAM, setUpApi } from '../api.fixture.ts';

const LIST = '/operator/v1/data_streams';
const operator: CallOptions = { token: OPERATOR_TOKEN };

test('the operator sees the streams of all organisations with state and lag, in pages and by state', async () => {
  const api = await setUpApi();
  const now = api.clock.now();
  const healthy = await api.create();
  const failing = await api.create();
  const theirs = await api.create(STREAM, 'bea');
  await api.progress(healthy);
  const waiting = { pending: 7, oldestPendingAt: now - 90_000 };
  const status = { state: 'error', message: 'Refused: 401.', since: now } as const;
  await api.progress(failing, { ...waiting, status });

  const { body } = await api.call('GET', LIST, operator);
  assert.equal(body.next, null);
  const seen = body.data_streams.map((stream: Record<string, unknown>) => [
    stream.organisation_id,
    stream.id,
  ]);
  assert.deepEqual(seen, [...[healthy, failing].sort().map((id) => [1, id]), [2, theirs]]);

  const inError = (await api.call('GET', `${LIST}?state=error`, operator)).body.data_streams;
  assert.equal(inError.length, 1);
  assert.deepEqual(
    [inError[0].id, inError[0].status.message, inError[0].lag_seconds, inError[0].progress.pending],
    [failing, 'Refused: 401.', 90, 7],
  );
  assert.equal(JSON.stringify(body).includes('credentials'), false);

  const paged: string[] = [];
  for (let after = ''; ; ) {
    const page = (await api.call('GET', `${LIST}?per_page=1${after}`, operator)).body;
    paged.push(...page.data_streams.map(({ id }: { id: string }) => id));
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  assert.deepEqual(
    paged,
    body.data_streams.map(({ id }: { id: string }) => id),
  );

  const of2 = (await api.call('GET', `${LIST}?organisation_id=2`, operator)).body.data_streams;
  assert.deepEqual(
    of2.map(({ id }: { id: string }) => id),
    [theirs],
  );
  await api.close();
});

test('nobody else sees them, and a wrong filter is named', async () => {
  const api = await setUpApi();
  assert.equal((await api.call('GET', LIST, { token: 'ada' })).status, 401);
  for (const query of ['state=gone', 'after=organisation.1', 'per_page=0', 'organisation_id=x'])
    assert.ok([400, 422].includes((await api.call('GET', `${LIST}?${query}`, operator)).status), query);
  await api.close();
});
