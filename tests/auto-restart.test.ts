import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK_EVERY, type StreamView } from './support/api-client.ts';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { waitFor } from './support/wait-for.ts';

interface Change {
  readonly status: { readonly id: number };
  readonly message: string;
  readonly actor: string;
}

/** It waits for the first try, which comes after a minute, and needs no processor meanwhile. */
test('a stream in Error survives kill -9, tries by itself, and delivers all that waited, once and in order', {
  timeout: 180_000,
}, async (t) => {
  let down = true;
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_RETRY_WINDOW: '1s' },
    answer: async (_, records) => ({ status: down && records.length > 0 ? 503 : 200 }),
  });
  const id = await world.create('/all');
  const read = async () => (await world.call(200, 'GET', `/${id}`)) as StreamView & { auto_restart: boolean };
  const until = (what: string, state: number, withinMs: number) =>
    waitFor(
      () => `${what}\n${world.output}`,
      async () => {
        const stream = await read();
        return stream.status.id === state ? stream : undefined;
      },
      withinMs,
      4 * ASK_EVERY,
    );
  world.flow();
  const failed = await until('it goes to Error', 3, 60_000);
  assert.equal(failed.auto_restart, true);
  assert.match(failed.status.message ?? '', /^Error state: .*The next try is at \d{4}-[\d-]+T[\d:.]+Z\.$/);
  await world.kill();
  await world.restart();
  await world.endFlow();
  assert.equal((await read()).status.id, 3, 'a crash does not end the Error');
  down = false;
  await until('it runs again by itself', 1, 100_000);
  const { records } = world.of('/all');
  await waitFor('all records', () => records.length >= world.sent || undefined, 60_000);
  assert.deepEqual(records, numbers(0, world.sent));
  const history = (await world.call(200, 'GET', `/${id}/history`)) as Change[];
  assert.deepEqual(
    history.slice(0, 2).map(({ status, actor }) => [status.id, actor]),
    [
      [1, 'simstream'],
      [3, 'simstream'],
    ],
  );
  assert.equal(history[0]?.message, 'The destination takes records again.');
});
