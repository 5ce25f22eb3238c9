import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { FIRST_ID, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** What is past is delivered, again or for the first time, beside the live flow, from outside, and through `kill -9`. */

const GUIDE = readFileSync('docs/replay.md', 'utf8');
const [, CREATE = ''] = /<!-- create -->\n```sh\n([\s\S]*?)```/.exec(GUIDE) ?? [];

interface ReplayView {
  readonly id: string;
  readonly status: { readonly id: number };
  readonly progress: { readonly delivered: number; readonly pending: number };
}

const replayed = (world: FlowWorld, id: string) => {
  const { requests } = world.of('/live');
  const records: number[] = [];
  let at = 0;
  for (const request of requests) {
    const count = JSON.parse(request.body.toString()).length as number;
    if (request.headers['simstream-replay'] === id)
      records.push(...world.of('/live').records.slice(at, at + count));
    at += count;
  }
  return records;
};

test('a replay beside the live flow, through a crash in its middle', { timeout: 300_000 }, async (t) => {
  const world = await FlowWorld.start(t);
  const id = await world.create('/live');
  await world.send(2_000);
  await waitFor('all is delivered', () => world.of('/live').records.length === 2_000 || undefined);

  const counted = await world.call(200, 'POST', `/${id}/replay`, { from: 'earliest', dry_run: true });
  assert.deepEqual(counted, { records: 2_000, filtered: 0, complete: true });
  const text = CREATE.replace('5f3a9c1e', id);
  const env = { ...process.env, URL: world.api.url, TOKEN: world.token };
  const answer = execFileSync('bash', ['-euc', text], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.match(answer, /^HTTP\/1.1 201/);
  const replay = /replay\/([0-9a-f]{8})/.exec(answer)?.[1] as string;
  const read = () => world.call(200, 'GET', `/${id}/replay/${replay}`) as Promise<ReplayView>;

  world.flow();
  await waitFor('a part of it has come', () => replayed(world, replay).length >= 300 || undefined, 30_000);
  await world.kill();
  await world.restart();
  await world.call(202, 'PATCH', `/${id}/replay/${replay}`, { max_records_per_second: 100_000 });
  await waitFor(
    () => `the replay ends\n${world.output}`,
    async () => (await read()).status.id === 5 || undefined,
    60_000,
    200,
  );
  await world.endFlow();
  const again = replayed(world, replay);
  const once = [...new Set(again)];
  assert.deepEqual(once, numbers(0, 2_000), 'each record of the range, in order, and nothing behind it');
  assert.ok(again.length - once.length <= 400, `${again.length - once.length} came twice after the crash`);
  const { delivered, pending } = (await read()).progress;
  assert.deepEqual([delivered, pending], [2_000, 0]);
  await waitFor('the live flow is complete', () => {
    const live = new Set(world.of('/live').records);
    return live.size === world.sent || undefined;
  });
});

test('three replays at a time and streams that begin in the past, under load, through a crash', {
  timeout: 300_000,
}, async (t) => {
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_RATE_READS: '0', SIMSTREAM_RATE_WRITES: '0' },
  });
  const id = await world.create('/live');
  await world.send(1_000);
  const middle = await nextMoment();
  await world.send(1_000);
  const end = await nextMoment();
  const live = world.of('/live');
  await waitFor('all is delivered', () => live.records.length === 2_000 || undefined);
  world.flow();

  await world.create('/earliest', { start_from: 'earliest' });
  await world.create('/since', { start_from: middle });
  const began = performance.now();
  const ranges = [
    { from: 'earliest', until: middle, expected: numbers(0, 1_000) },
    { from: middle, until: end, expected: numbers(1_000, 2_000) },
    {
      from: 'earliest',
      until: end,
      filters: [{ field: 'operator.country.mcc', value: '262' }],
      expected: ofGermany(world, 2_000),
    },
  ];
  const replays: { readonly id: string; readonly expected: readonly number[] }[] = [];
  for (const { expected, ...range } of ranges) {
    const body = { ...range, max_records_per_second: PACE };
    const { headers, status, text } = await world.api.call(
      'POST',
      `/api/v2/data_stream/${id}/replay`,
      world.token,
      body,
    );
    assert.equal(status, 201, text);
    replays.push({ id: headers.get('location')?.split('/').at(-1) as string, expected });
  }
  const refused = (await world.call(422, 'POST', `/${id}/replay`, { from: 'earliest' })) as {
    message: string;
  };
  assert.match(refused.message, /stream has 3 .*replays/);

  await waitFor(
    'a part of each has come',
    () => replays.every((replay) => replayed(world, replay.id).length >= 100) || undefined,
  );
  const seconds = () => (performance.now() - began) / 1_000;
  for (const replay of replays) {
    const count = replayed(world, replay.id).length;
    // What may gather while it is not asked, and a batch.
    assert.ok(count <= PACE * (seconds() + 1) + 100, `${count} records in ${seconds()} s`);
  }
  await world.kill();
  await world.restart();
  for (const replay of replays)
    await world.call(202, 'PATCH', `/${id}/replay/${replay.id}`, { max_records_per_second: null });
  for (const replay of replays)
    await waitFor(
      () => `replay ${replay.id} ends\n${world.output}`,
      async () =>
        ((await world.call(200, 'GET', `/${id}/replay/${replay.id}`)) as ReplayView).status.id === 5 ||
        undefined,
      60_000,
      200,
    );
  await world.endFlow();
  const whole = [
    { path: '/live', expected: numbers(0, world.sent) },
    { path: '/earliest', expected: numbers(0, world.sent) },
    { path: '/since', expected: numbers(1_000, world.sent) },
  ];
  for (const { path, expected } of whole) {
    const own = () => firstArrivals(world, path);
    await waitFor(
      () => `${own().length} of ${expected.length} at ${path}\n${world.output}`,
      () => own().length >= expected.length || undefined,
      60_000,
      200,
    );
    assert.deepEqual(own(), expected, path);
  }
  for (const replay of replays) {
    const again = replayed(world, replay.id);
    assert.deepEqual([...new Set(again)], replay.expected);
    assert.ok(again.length - replay.expected.length <= 400, `${again.length} came`);
    const { progress } = (await world.call(200, 'GET', `/${id}/replay/${replay.id}`)) as ReplayView;
    assert.deepEqual([progress.delivered, progress.pending], [replay.expected.length, 0]);
  }
});

const PACE = 400;

/** A time that is behind all that arrived before, and not behind anything that arrives from now on. */
function nextMoment(): Promise<string> {
  const before = Date.now();
  return waitFor('the next millisecond', () =>
    Date.now() > before + 1 ? new Date().toISOString() : undefined,
  );
}

/** Of the first `count` records, those of SIMs in Germany. */
function ofGermany(world: FlowWorld, count: number): number[] {
  const records = JSON.parse(new UsageRecords(world.organisation).batch(0, count).toString()) as {
    readonly id: number;
    readonly operator: { readonly country: { readonly mcc: string } };
  }[];
  return records
    .filter((record) => record.operator.country.mcc === '262')
    .map((record) => record.id - FIRST_ID);
}

/** What the live flow brought to a path, each record once, in the order of the first arrivals. */
function firstArrivals(world: FlowWorld, path: string): number[] {
  const { requests } = world.of(path);
  const records = requests
    .filter(({ headers }) => headers['simstream-replay'] === undefined)
    .flatMap(({ body }) => JSON.parse(body.toString()) as { id: number }[]);
  return [...new Set(records.map((record) => record.id - FIRST_ID))];
}
