import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ASK_EVERY, type StreamView } from './support/api-client.ts';
import { FlowWorld } from './support/flow-world.ts';
import { startHangingReceivers } from './support/hanging-receivers.ts';
import { natsMissing, startNats } from './support/nats-server.ts';
import { waitFor } from './support/wait-for.ts';

const SAYS = /^Waiting since (\d{4}-[\d-]+T[\d:.]+Z): (.*)$/;
/** Longer than the test takes on a busy machine; a receiver says what it waits for after two seconds. */
const WITHIN_MS = 120_000;
const RECORDS = 5;

for (const { storage, skip } of [
  { storage: 'embedded', skip: false },
  { storage: 'NATS', skip: natsMissing() ?? false },
])
  test(`a stream whose receiver hangs says what it waits for, and since when (${storage})`, {
    skip,
  }, async (t) => {
    const { receivers, nameServer } = await startHangingReceivers(t);
    const nats = storage === 'NATS' ? await startNats({ servers: 1 }) : undefined;
    t.after(() => nats?.dispose());
    const world = await FlowWorld.start(t, {
      environment: {
        SIMSTREAM_NAME_SERVERS: nameServer,
        SIMSTREAM_VERIFY_DESTINATIONS: 'false',
        SIMSTREAM_PARTITIONS: '2',
        SIMSTREAM_SECRET: randomBytes(32).toString('base64'),
        ...(nats ? { SIMSTREAM_NATS_URL: nats.urls.join(',') } : {}),
      },
    });
    const streams: { readonly id: string; readonly words: string }[] = [];
    for (const { url, words } of receivers)
      streams.push({ id: await world.create('', {}, { url, size: 1 }), words });
    const before = Date.now();
    // One request each: what a receiver does to the first one, it does to the others.
    await world.send(RECORDS);
    await Promise.all(
      streams.map(async ({ id, words }) => {
        let last = '';
        const said = await waitFor(
          () => `${words}\n${last}`,
          async () => {
            const { status } = (await world.call(200, 'GET', `/${id}`)) as StreamView;
            last = status.message ?? '';
            const [, since, cause] = SAYS.exec(last) ?? [];
            return cause === words ? since : undefined;
          },
          WITHIN_MS,
          ASK_EVERY * streams.length,
        );
        assert.ok(Date.parse(said) >= before - 1_000 && Date.parse(said) <= Date.now(), said);
      }),
    );
  });
