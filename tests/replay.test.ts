import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { waitFor } from './support/wait-for.ts';

/** A range is delivered again beside the live flow, from outside: with the commands of the guide, and through `kill -9`. */

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
