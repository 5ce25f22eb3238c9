import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import type { RecordKind } from '../records/block.ts';
import { batchOfTexts, sampleId, sampleRecord } from './batches.fixture.ts';
import { configureDestination } from './configure.ts';
import type { Batch, Destination, DestinationType, Outcome } from './contract.ts';
import { createEgress } from './egress.ts';
import { testGuideTable } from './guide.fixture.ts';
import { COMMON, type HostileRow } from './hostile-rows.fixture.ts';
import { type Answering, type HttpPeer, startHttpPeer } from './http/peer.fixture.ts';

/** The other side of a connection type: its healthy behaviour, and its faults. */
export interface HostileTable {
  readonly type: DestinationType;
  readonly guide: string;
  readonly kind?: RecordKind;
  readonly credentials: (port: number) => Record<string, unknown>;
  readonly variables?: (port: number) => Record<string, string>;
  /** Answers requests that carry no records, such as those of a sign-in. */
  readonly aside?: (t: TestContext) => Answering | undefined;
  readonly isAside?: (request: Parameters<Answering>[0]) => boolean;
  /** Takes all records of a request; `taken` gets their ids. */
  readonly take: (taken: string[]) => Answering;
  readonly rows: readonly HostileRow[];
  /** Rows of COMMON that come to something else here, by their name. */
  readonly differs?: Readonly<Record<string, Partial<Pick<HostileRow, 'type' | 'reads'>>>>;
}

const RECORDS = 10;
/** As many sends as a row may take; what lasts is not followed for longer. */
const MOST_SENDS = 12;

interface Played {
  /** The outcome of the first send, and the message for the customer. */
  readonly type: Outcome['type'];
  readonly reads: string;
  readonly delivered: number;
  readonly repeated: number;
  readonly quarantined: number;
  readonly kept: number;
}

/**
 * Plays what a service can do to a connector, with an engine in small: what is to be sent again is sent again, what is too
 * large or rejected is split. No record may be lost: each is delivered, quarantined, or kept. The table goes into the guide.
 */
export function testHostile(table: HostileTable): void {
  const { type, guide, differs = {} } = table;
  const common = COMMON.map((row) => ({ ...row, ...differs[row.what] }));
  const rows = [...common, ...table.rows];
  describe(`${type.connectionType}: hostile behaviours`, { timeout: 60_000 }, () => {
    const played = new Map<HostileRow, Played>();
    test('there are at least twelve', () => assert.ok(rows.length >= 12));
    for (const row of rows) {
      test(row.what, async (t) => {
        const result = await play(t, table, row);
        played.set(row, result);
        assert.equal(result.delivered + result.quarantined + result.kept, RECORDS, 'no record is lost');
        assert.equal(result.type, row.type, result.reads);
        assert.match(result.reads, row.reads);
        if (!row.lasting && row.type !== 'rejected') assert.equal(result.delivered, RECORDS);
      });
    }
    testGuideTable(guide, 'hostile', () => {
      const lines = rows.map((row) => lineOf(row, played.get(row) as Played));
      const head =
        '| what the other side does | simstream | the customer reads | delivered | repeated | quarantined | kept |';
      return [head, '| --- | --- | --- | --: | --: | --: | --: |', ...lines].join('\n');
    });
  });
}

const DOES: Readonly<Record<Outcome['type'], string>> = {
  delivered: 'goes on',
  retry: 'tries again',
  partial: 'tries again what was not taken',
  refused: 'tries a few times, then Error',
  too_large: 'splits the request',
  rejected: 'splits until it finds the record',
  platform: 'tries again; the platform operator must act',
};

function lineOf(
  { what }: HostileRow,
  { type, reads, delivered, repeated, quarantined, kept }: Played,
): string {
  const words = reads.replaceAll('|', '\\|') || '–';
  return `| ${what} | ${DOES[type]} | ${words} | ${delivered} | ${repeated} | ${quarantined} | ${kept} |`;
}

async function play(t: TestContext, table: HostileTable, row: HostileRow): Promise<Played> {
  const peer = await startHttpPeer();
  const egress = createEgress({ allow: '127.0.0.0/8' });
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'simstream-test-'));
  const clock = new ManualClock();
  const configured = configureDestination(table.type, table.credentials(peer.port));
  assert.ok(configured.type === 'configured', JSON.stringify(configured));
  const destination = await configured.configured.open({
    organisationId: 70412,
    streamId: 'a1b2c3d4',
    clock,
    random: seededRandom(1),
    egress,
    variables: table.variables?.(peer.port) ?? {},
    scratchDirectory,
  });
  t.after(async () => {
    await destination.close();
    await egress.close();
    await peer.stop();
    await rm(scratchDirectory, { recursive: true, force: true });
  });
  const taken: string[] = [];
  misbehave(t, peer, table, row, taken);
  const send = (indexes: readonly number[]) => {
    const batch = batchOfTexts(
      table.kind ?? 'usage',
      indexes.map((n) => sampleRecord(table.kind ?? 'usage', n)),
    );
    return sendInTime(destination, batch, clock, row.waits ?? false);
  };
  return follow(send, taken, peer.port);
}

function misbehave(
  t: TestContext,
  peer: HttpPeer,
  table: HostileTable,
  row: HostileRow,
  taken: string[],
): void {
  const take = table.take(taken);
  const aside = row.aside ?? table.aside?.(t);
  const next = [...row.answers];
  peer.answer((request, response) => {
    if (aside && table.isAside?.(request)) return aside(request, response);
    const behaviour = row.lasting ? next[0] : next.shift();
    if (behaviour) behaviour(request, response, take, taken);
    else take(request, response);
  });
}

/** Sends; a row in which somebody waits moves the clock until there is an outcome. */
async function sendInTime(
  destination: Destination,
  batch: Batch,
  clock: ManualClock,
  waits: boolean,
): Promise<Outcome> {
  const signal = new AbortController().signal;
  const { segments, bytes: _, ...rest } = batch;
  const file = {
    ...rest,
    async *segments() {
      yield* segments;
    },
  };
  let outcome: Outcome | undefined;
  const sending = (
    destination.takes === 'batches' ? destination.send(batch, signal) : destination.store(file, signal)
  ).then((settled) => {
    outcome = settled;
  });
  while (waits && !outcome) {
    // Time enough for what is on its way between two sockets of this process.
    for (let turns = 0; turns < 500 && !outcome; turns++) await turn();
    if (!outcome) await clock.advance(5_000);
  }
  await sending;
  return outcome as unknown as Outcome;
}

/** Handles the outcomes like the engine. */
async function follow(
  send: (indexes: readonly number[]) => Promise<Outcome>,
  taken: readonly string[],
  port: number,
): Promise<Played> {
  let first: Outcome | undefined;
  let told: Outcome | undefined;
  let pending = [Array.from({ length: RECORDS }, (_, n) => n)];
  let quarantined = 0;
  for (let sends = 0; pending.length > 0 && sends < MOST_SENDS; sends++) {
    const [batch = [], ...behind] = pending;
    const outcome = await send(batch);
    first ??= outcome;
    if (!told && outcome.type !== 'delivered') told = outcome;
    pending = behind;
    if (outcome.type === 'delivered') continue;
    if (outcome.type === 'partial') {
      const again = outcome.failures.filter(({ verdict }) => verdict === 'retry');
      quarantined += outcome.failures.length - again.length;
      if (again.length > 0) pending = [again.map(({ index }) => batch[index] as number), ...behind];
    } else if ((outcome.type === 'rejected' || outcome.type === 'too_large') && batch.length === 1)
      quarantined++;
    else if (outcome.type === 'rejected' || outcome.type === 'too_large') {
      const middle = Math.ceil(batch.length / 2);
      pending = [batch.slice(0, middle), batch.slice(middle), ...behind];
    } else pending = [batch, ...behind];
  }
  const kept = new Set(pending.flat().map(sampleId));
  const delivered = new Set(taken);
  const message = told
    ? told.type === 'partial'
      ? told.failures[0]?.cause.message
      : 'cause' in told
        ? told.cause.message
        : ''
    : '';
  return {
    type: (first as Outcome).type,
    reads: (message ?? '')
      .replaceAll(`127.0.0.1:${port}`, 'the.service')
      .replaceAll('127.0.0.1', 'the.service'),
    delivered: delivered.size,
    repeated: taken.length - delivered.size,
    quarantined,
    kept: [...kept].filter((id) => !delivered.has(id)).length,
  };
}
