import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { ASK_EVERY } from './api-client.ts';
import { FlowWorld } from './flow-world.ts';
import { waitFor } from './wait-for.ts';

/** Records that the receiver refuses for good. */
const isPoison = (record: number) => record % 499 === 7;
/** MB; about half of the records have more. */
const LIMIT = '0.2';

interface Row {
  readonly hour: string;
  readonly records: number;
  readonly filtered: number;
  readonly delivered: number;
  readonly quarantined: number;
  readonly expired: number;
  readonly pending: number;
  readonly volume_total: string;
  readonly volume_rx: string;
  readonly volume_tx: string;
  readonly cost: readonly {
    readonly currency: string;
    readonly traffic_type: string;
    readonly amount: string;
  }[];
}

/** What the ledger sums up of a record, as it was received. */
interface Amounts {
  readonly total: string;
  readonly rx: string;
  readonly tx: string;
  readonly cost: string;
}

/**
 * Two streams of usage records under load, one with a filter, and a node that is killed twice in the middle: their ledgers agree
 * with what their receiver has, record by record.
 */
export async function reconcileAfterKills(
  t: TestContext,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const world = await FlowWorld.start(t, {
    environment,
    answer: async (_, records) => ({ status: records.some(isPoison) ? 422 : 200 }),
  });
  const all = await world.create('/all');
  const some = await world.create('/some', { filters: [{ field: 'volume.total', op: 'gt', value: LIMIT }] });
  world.flow();
  for (let kill = 0; kill < 2; kill++) {
    const before = world.of('/all').records.length;
    await waitFor(
      'records arrive',
      () => world.of('/all').records.length > before + 300 || undefined,
      60_000,
    );
    await world.kill();
    await world.restart();
  }
  await world.endFlow();

  const amounts = new Map<number, Amounts>();
  const ledgers = new Map<string, Row[]>();
  for (const id of [all, some]) ledgers.set(id, await settled(world, id));
  for (const [record, found] of received(world, '/all')) amounts.set(record, found);
  const poison = Array.from({ length: world.sent }, (_, record) => record).filter(isPoison);
  reconcile(ledgers.get(all) as Row[], [...amounts.values()], { filtered: 0, quarantined: poison.length });

  const passing = received(world, '/some');
  for (const [record, { total }] of amounts)
    assert.equal(passing.has(record), Number(total) > Number(LIMIT), `record ${record} of ${total} MB`);
  const rows = ledgers.get(some) as Row[];
  const quarantined = rows.reduce((sum, row) => sum + row.quarantined, 0);
  assert.ok(quarantined <= poison.length);
  reconcile(rows, [...passing.values()], {
    filtered: world.sent - passing.size - quarantined,
    quarantined,
  });
}

/** The ledger once nothing waits any more. */
function settled(world: FlowWorld, id: string): Promise<Row[]> {
  return waitFor(
    () => `all of ${world.sent} records in the ledger of ${id}\n${world.output}`,
    async () => {
      const rows = (await world.call(200, 'GET', `/${id}/ledger`)) as Row[];
      const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
      return sum((row) => row.records) === world.sent && sum((row) => row.pending) === 0 ? rows : undefined;
    },
    90_000,
    2 * ASK_EVERY,
  );
}

/** Each record that the receiver has taken, once. */
function received(world: FlowWorld, path: string): Map<number, Amounts> {
  const found = new Map<number, Amounts>();
  const pattern =
    /\{"id":7(\d{14}),[^\n]*?"volume":\{"total":([^,]+),"rx":([^,]+),"tx":([^}]+)\},"cost":([^,]+),/g;
  for (const { body } of world.of(path).requests)
    for (const [, id, total = '', rx = '', tx = '', cost = ''] of body.toString().matchAll(pattern))
      found.set(Number(id), { total, rx, tx, cost });
  return found;
}

function reconcile(
  rows: readonly Row[],
  amounts: readonly Amounts[],
  counts: { readonly filtered: number; readonly quarantined: number },
): void {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  for (const row of rows)
    assert.equal(
      row.records,
      row.filtered + row.delivered + row.quarantined + row.expired + row.pending,
      JSON.stringify(row),
    );
  assert.deepEqual(
    {
      delivered: sum((row) => row.delivered),
      filtered: sum((row) => row.filtered),
      quarantined: sum((row) => row.quarantined),
      expired: sum((row) => row.expired),
    },
    { delivered: amounts.length, ...counts, expired: 0 },
  );
  const exact = (of: (found: Amounts) => string) =>
    amounts.reduce((total, found) => total + units(of(found)), 0n);
  const shown = (of: (row: Row) => string) => rows.reduce((total, row) => total + units(of(row)), 0n);
  assert.equal(
    shown((row) => row.volume_total),
    exact(({ total }) => total),
  );
  assert.equal(
    shown((row) => row.volume_rx),
    exact(({ rx }) => rx),
  );
  assert.equal(
    shown((row) => row.volume_tx),
    exact(({ tx }) => tx),
  );
  assert.equal(
    shown((row) => row.cost[0]?.amount ?? '0'),
    exact(({ cost }) => cost),
  );
  for (const { cost } of rows)
    assert.deepEqual(
      cost.map(({ currency, traffic_type }) => [currency, traffic_type]),
      [['EUR', 'Data']],
    );
}

/** A JSON number in units of 10^-20. */
function units(text: string): bigint {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? assert.fail(`${text} is not a number`);
  const places = 20 + Number(exponent) - fraction.length;
  assert.ok(places >= 0);
  return BigInt(whole + fraction) * 10n ** BigInt(places);
}
