import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { spawnOwned, temporaryDirectory } from './support/owned.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** As many records as `simstream import` sends in a request. */
const PORTION = 1_000;
const RECORDS = 6 * PORTION;
const MAPPING = 'examples/mappings/radius-accounting.mapping.json';
/** The owner of the SIMs in the lookup of the mapping. */
const CUSTOMER = 70412;
const SESSIONS = 30;
const REPORTS = 60;
const BEGAN = 1_773_727_200;

test('an import goes on after kill -9 of itself and of the node: each record is stored once, and counters add up', {
  timeout: 300_000,
}, async (t) => {
  const slices = new Map<string, Slice>();
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_RATE_READS: '0' },
    answer: async ({ path, body }) => {
      if (path === '/slices' && body.length > 0)
        for (const slice of JSON.parse(body.toString()) as Slice[])
          slices.set(`${slice.session_id} ${slice.end_timestamp}`, slice);
      return { status: 200 };
    },
  });
  const all = await world.create('/all');
  const arrived = () => world.of('/all').records;
  const lines = linesOf(world.organisation);

  // It dies with half of the file sent.
  const broken = startImport(world, '--kind', 'usage', '-');
  broken.write(lines.slice(0, RECORDS / 2));
  await waitFor('half of the records', () => arrived().length >= RECORDS / 2 || undefined);
  await broken.kill();
  // The same file again; the node dies in its middle, and comes back.
  const whole = startImport(world, '--kind', 'usage', '-');
  whole.write(lines.slice(0, RECORDS - 2 * PORTION));
  await waitFor('two thirds', () => new Set(arrived()).size >= RECORDS - 2 * PORTION || undefined);
  await world.kill();
  whole.write(lines.slice(RECORDS - 2 * PORTION));
  whole.end();
  await waitFor('it waits for the node', () => whole.errors().includes('waiting: ') || undefined);
  await world.restart();
  assert.equal(await whole.ended, 0, whole.errors());
  assert.match(whole.output(), /^-: 3,000 records imported, 3,000 records stored/m);
  await counted(world, world.token, all, RECORDS);
  assert.deepEqual([...new Set(arrived())], numbers(0, RECORDS), 'each record, in the order of the file');

  // Counters that grow: an import that dies leaves the state of the sessions as it was.
  await world.api.createOrganisation(CUSTOMER, 'Nordlicht');
  const token = await world.api.authenticate(CUSTOMER);
  const stream = await world.api.createStream(token, {
    data_stream_type: { id: 1 },
    destination: { connection_type: 'RestAPI', credentials: { url: `${world.receiver}/slices`, size: 100 } },
  });
  const directory = temporaryDirectory();
  const [file, state] = [join(directory, 'accounting.ndjson'), join(directory, 'sessions')];
  const reports = Array.from(
    { length: SESSIONS * (REPORTS + 1) },
    (_, at) => `${JSON.stringify(report(at))}\n`,
  );
  writeFileSync(file, reports.join(''));
  const cut = startImport(world, '--mapping', MAPPING, '--state', state, '-');
  cut.write(reports.slice(0, PORTION + SESSIONS + 100));
  await waitFor('slices of the first request', () => slices.size >= PORTION - 100 || undefined);
  await cut.kill();
  assert.equal(existsSync(state), false);
  const again = startImport(world, '--mapping', MAPPING, '--state', state, file);
  assert.equal(await again.ended, 0, again.errors());
  assert.match(again.output(), / records stored/);
  await counted(world, token, stream, SESSIONS * REPORTS);
  const sums = new Map<string, number>();
  for (const { session_id: session, volume } of slices.values())
    sums.set(session, (sums.get(session) ?? 0) + Math.round(volume.rx * 1e6));
  assert.deepEqual(
    [...sums].sort(),
    Array.from({ length: SESSIONS }, (_, session): [string, number] => [
      `session-${session}`,
      octets(session, REPORTS),
    ]).sort(),
  );
  const third = startImport(world, '--mapping', MAPPING, '--state', state, file);
  assert.equal(await third.ended, 0, third.errors());
  assert.match(third.output(), /: nothing imported/);
});

interface Slice {
  readonly session_id: string;
  readonly end_timestamp: string;
  readonly volume: { readonly rx: number };
}

/** What is stored is what is delivered, so nothing was stored twice. */
function counted(world: FlowWorld, token: string, id: string, records: number): Promise<true> {
  return waitFor(`${records} are counted`, async () => {
    const { progress } = await world.api.stream(token, id);
    assert.ok(progress.delivered <= records, `${progress.delivered} of ${records}`);
    return (progress.delivered === records && progress.pending === 0) || undefined;
  });
}

function linesOf(organisation: number): string[] {
  const records = new UsageRecords(organisation).batch(0, RECORDS).toString();
  return records
    .slice(1, -1)
    .split('},{"id"')
    .map((text, at, { length }) => {
      const begin = at === 0 ? '' : '{"id"';
      const end = at === length - 1 ? '' : '}';
      return `${begin}${text}${end}\n`;
    });
}

const octets = (session: number, at: number) => 1_000 * at * (session + 1) + at * at;

/** Reports of all sessions in turn. */
function report(number: number) {
  const [session, at] = [number % SESSIONS, Math.floor(number / SESSIONS)];
  return {
    'Acct-Status-Type': at === 0 ? 'Start' : at === REPORTS ? 'Stop' : 'Interim-Update',
    'Acct-Session-Id': `session-${session}`,
    'NAS-IP-Address': '192.0.2.1',
    'Event-Timestamp': BEGAN + at * 60,
    'Acct-Output-Octets': octets(session, at),
    'Acct-Input-Octets': 0,
    Class: 'nordlicht-metering',
    '3GPP-IMSI': `2620200000000${String(session).padStart(2, '0')}`,
  };
}

function startImport(world: FlowWorld, ...args: readonly string[]) {
  const more = ['--url', world.api.url, '--operator-token', OPERATOR_TOKEN];
  const child = spawnOwned(process.execPath, ['src/main.ts', 'import', ...more, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  }) as ChildProcess & { readonly stdin: NonNullable<ChildProcess['stdin']> };
  const collect = (stream: ChildProcess['stdout']) => {
    let text = '';
    stream?.on('data', (chunk) => {
      text += chunk;
    });
    return () => text;
  };
  const ended = once(child, 'close').then(([code]) => code as number | null);
  // Killed, it reads no more.
  child.stdin.on('error', () => undefined);
  return {
    ended,
    output: collect(child.stdout),
    errors: collect(child.stderr),
    write: (lines: readonly string[]) => child.stdin.write(lines.join('')),
    end: () => child.stdin.end(),
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
  };
}
