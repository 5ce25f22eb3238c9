import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { FIRST_ID, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** Records of a request, of each of the two flows. */
const BATCH = 20;
/** MB; about half of the records have more. */
const LIMIT = 0.2;
const FILTERS = [{ field: 'volume.total', op: 'gt', value: LIMIT }];
const PAGE = 40;

/** What reads beside the flow is exact: previews, the history of events, and also the calls of the first version. */
test('previews, test records, the history of events and streams of the first version, under load and through kill -9', {
  timeout: 300_000,
}, async (t) => {
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_RATE_READS: '0', SIMSTREAM_RATE_WRITES: '0', SIMSTREAM_RATE_WORK: '1000' },
  });
  const usage = await world.create('/usage');
  const first = await createInFirstVersion(world, '/events', [1, 3]);
  const events = new EventFlow(world);
  t.after(() => events.end());
  world.flow(BATCH);
  events.begin();

  let tests = 0;
  for (let round = 0; round < 4; round++) {
    await waitFor('records arrive', () => world.of('/usage').records.length > (round + 1) * 100 || undefined);
    await waitFor('events arrive', () => world.of('/events').records.length > (round + 1) * 30 || undefined);
    const { least, records, most, matched, samples } = await preview(world);
    assert.ok(records >= least && records <= most, `${records} records, ${least} to ${most} were sent`);
    assert.equal(matched, passing(world, records).length, `of ${records} records`);
    const newest = passing(world, records).slice(-samples.length).reverse();
    assert.deepEqual(samples, newest, 'samples are the newest that pass');

    const stored = events.sent;
    const history = await readHistory(world);
    assert.ok(history.length >= stored, `${history.length} of at least ${stored} events`);
    assert.deepEqual(history, numbers(0, history.length).reverse(), 'each once, the newest first');

    const { outcome } = (await world.call(200, 'POST', `/${usage}/test_record`)) as { outcome: string };
    assert.equal(outcome, 'delivered');
    tests++;
    if (round !== 1) continue;
    await world.kill();
    await world.restart();
  }
  await world.endFlow();
  await events.end();

  const { records, matched } = await preview(world);
  assert.deepEqual([records, matched], [world.sent, passing(world, world.sent).length]);
  assert.equal((await readHistory(world)).length, events.sent);
  const own = numbers(0, events.sent).filter((each) => typeOf(each) !== 2);
  for (const { path, id, expected, filtered } of [
    { path: '/usage', id: usage, expected: numbers(0, world.sent), filtered: 0 },
    { path: '/events', id: first.id, expected: own, filtered: events.sent - own.length },
  ]) {
    const once = () => [...new Set(world.of(path).records)];
    await waitFor(
      () => `${once().length} of ${expected.length} at ${path}\n${world.output}`,
      () => once().length >= expected.length || undefined,
      60_000,
      100,
    );
    assert.deepEqual(once(), expected);
    await waitFor(`the counters of ${path}`, async () => {
      const { progress } = await world.api.stream(world.token, id);
      // Test records count nowhere.
      const { delivered, pending } = progress;
      return (delivered === expected.length && progress.filtered === filtered && pending === 0) || undefined;
    });
  }
  assert.equal(world.testRecords, tests);
  const { status, text } = await world.api.call('GET', first.path, world.token);
  assert.equal(status, 200, text);
  assert.deepEqual((({ active, running, last_result }) => [active, running, last_result])(JSON.parse(text)), [
    true,
    true,
    null,
  ]);
  assert.equal((await world.api.call('DELETE', first.path, world.token)).status, 204);
  await world.call(404, 'GET', `/${first.id}`);
});

async function createInFirstVersion(world: FlowWorld, path: string, types: readonly number[]) {
  const call = async (expected: number, method: string, address: string, body?: object) => {
    const answer = await world.api.call(method, address, world.token, body);
    assert.equal(answer.status, expected, answer.text);
    return answer;
  };
  const { headers } = await call(201, 'POST', '/api/v1/data_stream', {
    data_stream_type: { id: 2 },
    api_type: { id: 6 },
    api_callback: { url: world.receiver + path },
  });
  const location = headers.get('location') as string;
  for (const type of types) await call(204, 'PUT', `${location}/filter/event_type/${type}`);
  const number = Number(location.split('/').at(-1));
  return { path: location, id: number.toString(16).padStart(8, '0') };
}

/** With the number of records that were certainly sent before, and may have been sent during the call. */
async function preview(world: FlowWorld) {
  const body = { data_stream_type: { id: 1 }, filters: FILTERS };
  return waitFor(
    'a preview that is complete',
    async () => {
      const least = world.sent;
      const { hours, samples, complete } = (await world.call(200, 'POST', '/preview', body)) as Preview;
      // On a busy machine its time may not be enough.
      if (!complete) return undefined;
      const sum = (of: 'records' | 'matched') => hours.reduce((total, hour) => total + hour[of], 0);
      return {
        least,
        most: world.sent + BATCH,
        records: sum('records'),
        matched: sum('matched'),
        samples: samples.map((record) => record.id - FIRST_ID),
      };
    },
    60_000,
    500,
  );
}

interface Preview {
  readonly hours: readonly { readonly records: number; readonly matched: number }[];
  readonly samples: readonly { readonly id: number }[];
  readonly complete: boolean;
}

/** Of the first `count` records, those that pass the filters. */
function passing({ organisation }: FlowWorld, count: number): number[] {
  const records = JSON.parse(new UsageRecords(organisation).batch(0, count).toString()) as {
    readonly id: number;
    readonly volume: { readonly total: number };
  }[];
  return records.filter(({ volume }) => volume.total > LIMIT).map((record) => record.id - FIRST_ID);
}

/** All pages, from link to link, while new events arrive. */
async function readHistory({ api, token }: FlowWorld): Promise<number[]> {
  const found: number[] = [];
  let path: string | undefined = `/api/v1/event?per_page=${PAGE}`;
  while (path !== undefined) {
    const { status, text, headers } = await api.call('GET', path, token);
    assert.equal(status, 200, text);
    found.push(...(JSON.parse(text) as { id: number }[]).map((event) => event.id - FIRST_ID));
    path = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
  }
  return found;
}

const typeOf = (event: number) => (event % 3) + 1;

/** Events with numbers that ascend, beside the usage records of the world. */
class EventFlow {
  /** Events that were acknowledged: the numbers below it. */
  sent = 0;
  readonly #world: FlowWorld;
  readonly #stop = new AbortController();
  #flowing = Promise.resolve();

  constructor(world: FlowWorld) {
    this.#world = world;
  }

  begin(): void {
    this.#flowing = this.#flow();
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#flowing;
  }

  async #flow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const first = this.sent;
      const events = numbers(first, first + BATCH).map((number) => ({
        id: FIRST_ID + number,
        timestamp: '2026-03-17T06:02:48Z',
        event_type: { id: typeOf(number) },
        organisation: { id: this.#world.organisation },
      }));
      const answer = await this.#world.api
        .call('POST', '/operator/v1/records/events', OPERATOR_TOKEN, events, {
          'idempotency-key': `events-${first}`,
        })
        // The node is away.
        .catch(() => undefined);
      if (answer?.status === 202) this.sent += BATCH;
      await sleep(10);
    }
  }
}
