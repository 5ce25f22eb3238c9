import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventsQuery, readEvents } from '../../src/delivery/watching/kept-events.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { eventText } from '../../src/records/records.fixture.ts';
import type { OrganisationTree } from '../../src/registry/organisation-tree.ts';
import { openNats } from '../../src/storage/nats.ts';
import { natsMissing, startNats } from '../support/nats-server.ts';

const tree = {
  rootOf: (id: number) => id,
  learn: () => undefined,
  ancestorsOf: () => [],
} as unknown as OrganisationTree;
const ALL: EventsQuery = { organisationId: 1, relation: 1, filters: [], skip: 0, limit: 7 };

test('the events that are kept are listed from NATS too, by a node that stored none of them', {
  skip: natsMissing() ?? false,
  timeout: 120_000,
}, async (t) => {
  const servers = await startNats();
  t.after(() => servers.dispose());
  const open = async () => {
    const nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
    t.after(() => nats.close());
    const options = { partitions: 1, clock: systemClock, retentionMs: 86_400_000, prefix: 'events' };
    return createNatsLog(nats, options);
  };
  const ingest = createIngest({ log: await open(), tree, clock: systemClock });
  for (let block = 0; block < 5; block++) {
    const records = Array.from({ length: 4 }, (_, at) =>
      eventText({ id: String(block * 4 + at), organisation: `{"id":${1 + (at % 2)}}` }),
    );
    const body = Buffer.from(records.join('\n'));
    const stored = await ingest.accept({ kind: 'event', body, format: 'ndjson', skipInvalid: false });
    assert.equal(stored.type, 'accepted');
  }
  const log = await open();
  const found: number[] = [];
  let before: EventsQuery['before'];
  do {
    const query = { ...ALL, ...(before ? { before } : {}) };
    const { events, next } = await readEvents({ log, tree, clock: systemClock }, query, 0, t.signal);
    found.push(...events.map((text) => JSON.parse(text).id as number));
    before = next;
  } while (before);
  assert.deepEqual(found, [18, 16, 14, 12, 10, 8, 6, 4, 2, 0]);
  const { total } = await readEvents(
    { log, tree, clock: systemClock },
    { ...ALL, from: 0, until: 8.64e15 },
    0,
    t.signal,
  );
  assert.equal(total, 10);
});
