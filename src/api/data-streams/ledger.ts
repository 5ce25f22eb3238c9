import { type Static, Type } from 'typebox';
import { LEDGER_DAYS } from '../../delivery/ledger/document.ts';
import { type LedgerHour, readLedger } from '../../delivery/ledger/reading.ts';
import { ApiError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { Slices } from '../../lib/slices.ts';
import { beginsFormula } from '../../records/csv-dialect.ts';
import type { RecordKind } from '../../records/kinds.ts';
import type { Registry } from '../../registry/registry.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { type Answer, defineRoute, type Route } from '../route.ts';
import { TimeParameter, timeParameter } from '../time-parameter.ts';
import { DataStreamParameters } from './schema.ts';
import { findProgress, findStream } from './store.ts';
import { iso } from './view.ts';

/** `GET /api/v2/data_stream/{id}/ledger`: the counts of the records, by the hour of their arrival. */
interface LedgerParts {
  readonly registry: Registry;
  readonly clock: Clock;
}

const PATH = '/api/v2/data_stream';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The usual range: the days for which the records themselves are kept. */
const USUAL_MS = 7 * DAY;

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Sum = (description: string) =>
  Type.Optional(Type.String({ pattern: '^-?\\d+(\\.\\d+)?$', description, examples: ['1204.0031'] }));

const Row = Type.Object(
  {
    hour: Type.String({
      format: 'date-time',
      description: 'Start of the hour in which the records arrived, UTC.',
    }),
    records: Count('All records of the type and the organisations that arrived: the sum of the others.'),
    filtered: Count('Records that do not pass the filters.'),
    delivered: Count('Records that the destination took.'),
    quarantined: Count(
      'Records that the destination refused for good, with those that were sent again since.',
    ),
    expired: Count('Records that were not delivered within the retention.'),
    pending: Count('Records that are not delivered yet.'),
    volume_total: Sum(
      'Of usage: the sum of `volume.total` over the delivered records, exact. Text, because a double would round it.',
    ),
    volume_rx: Sum('The sum of `volume.rx`.'),
    volume_tx: Sum('The sum of `volume.tx`.'),
    cost: Type.Optional(
      Type.Array(
        Type.Object({
          currency: Type.String({ description: 'Its code; empty where the records name none.' }),
          traffic_type: Type.String({ description: 'Its description, or its id.' }),
          amount: Type.String({ description: 'The exact sum of `cost`.' }),
        }),
        { description: 'Of usage: the cost of the delivered records, by currency and traffic type.' },
      ),
    ),
  },
  {
    'x-component': 'LedgerHour',
    examples: [
      {
        hour: '2026-01-31T08:00:00.000Z',
        records: 1200,
        filtered: 200,
        delivered: 990,
        quarantined: 1,
        expired: 0,
        pending: 9,
        volume_total: '133.0146',
        volume_rx: '100.2276',
        volume_tx: '32.787',
        cost: [{ currency: 'EUR', traffic_type: 'Data', amount: '1.3301460001' }],
      },
    ],
  },
);
type Row = Static<typeof Row>;

const Query = Type.Object({
  ...PageQuery.properties,
  from: TimeParameter(
    `The first hour; seven days before the last one by default. The ledger is kept for ${LEDGER_DAYS} days.`,
  ),
  until: TimeParameter('Hours that begin before this time; now by default.'),
});

export function ledgerRoutes({ registry, clock }: LedgerParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: `${PATH}/:id/ledger`,
      operationId: 'GetDataStreamLedger',
      tags: ['Data Streamer'],
      summary: 'The ledger of a data stream: its records by the hour of their arrival',
      description: `Oldest first; hours without records are left out. With \`Accept: text/csv\` a table with a column for each pair of currency and traffic type. ${ALL_OR_PAGES}`,
      access: 'read',
      params: DataStreamParameters,
      query: Query,
      responses: {
        200: {
          description: 'The hours.',
          schema: Type.Array(Row),
          texts: ['text/csv'],
          headers: PAGE_HEADERS,
        },
      },
      errors: ['NotFound', 'OutOfRange'],
      handler: async ({ identity: { organisationId }, params: { id }, query, headers }) => {
        const { document } = await findStream(registry, organisationId, id);
        const { from, until } = rangeOf(query, clock.now());
        const progress = await findProgress(registry, document);
        const hours = await readLedger(registry, document, progress, from, until);
        const page = pageOf(
          hours.map((hour) => show(hour, document.kind)),
          query,
        );
        if (prefersCsv(headers.accept)) return await csvAnswer(page.items);
        return answerPage(page, `${PATH}/${id}/ledger`, (row) => row);
      },
    }),
  ];
}

/** @returns ms since the epoch, the start of an hour first @throws ApiError OutOfRange, InvalidFormat */
function rangeOf(
  query: Static<typeof Query>,
  now: number,
): { readonly from: number; readonly until: number } {
  const oldest = now - (LEDGER_DAYS + 1) * DAY;
  const until = timeParameter('until', query.until) ?? now + 1;
  const from = timeParameter('from', query.from) ?? until - USUAL_MS;
  if (from >= until) throw new ApiError('OutOfRange', 'until: must lie after from');
  const begin = Math.max(Math.floor(from / HOUR) * HOUR, oldest);
  return { from: begin, until: Math.max(begin + 1, Math.min(until, now + HOUR)) };
}

function show({ hour, usage, ...row }: LedgerHour, kind: RecordKind): Row {
  const { records, filtered, delivered, quarantined, expired, pending } = row;
  const counts = { hour: iso(hour), records, filtered, delivered, quarantined, expired, pending };
  if (kind !== 'usage') return counts;
  const { total = '0', rx = '0', tx = '0', cost = [] } = usage ?? {};
  return {
    ...counts,
    volume_total: total,
    volume_rx: rx,
    volume_tx: tx,
    cost: cost.map(({ currency, trafficType, amount }) => ({ currency, traffic_type: trafficType, amount })),
  };
}

/** Whether a client would rather have CSV than JSON. */
function prefersCsv(accept: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(type, weight === undefined ? 1 : Number(weight));
  }
  const json = Math.max(
    ...['application/json', 'application/*', '*/*'].map((type) => weights.get(type) ?? 0),
  );
  return (weights.get('text/csv') ?? 0) > 0 && (weights.get('text/csv') ?? 0) >= json;
}

/** The names in records decide how many columns there are. So many cells are some megabytes. */
const MOST_CELLS = 500_000;

/** @throws ApiError OutOfRange for a table that is too large */
async function csvAnswer(rows: readonly Row[]): Promise<Answer> {
  const counts = ['hour', 'records', 'filtered', 'delivered', 'quarantined', 'expired', 'pending'] as const;
  const volumes = ['volume_total', 'volume_rx', 'volume_tx'] as const;
  const isUsage = rows.some(({ cost }) => cost !== undefined);
  const named = rows.flatMap(({ cost = [] }) => cost.map((each) => ({ ...each, name: costColumn(each) })));
  const costs = [...new Set(named.map(({ name }) => name))].sort();
  const cells = rows.length * (counts.length + volumes.length + costs.length);
  if (cells > MOST_CELLS) {
    const message = `from: the table would have ${rows.length} rows and a column for each of ${costs.length} pairs of currency and traffic type; ask for fewer hours, or for JSON`;
    throw new ApiError('OutOfRange', message);
  }
  const slices = new Slices();
  const lines: string[] = [];
  for (const row of rows) {
    const amounts = new Map((row.cost ?? []).map((each) => [costColumn(each), each.amount]));
    const sums = isUsage ? volumes.map((column) => row[column] ?? '0') : [];
    const cells = [
      ...counts.map((column) => String(row[column])),
      ...sums,
      ...costs.map((name) => amounts.get(name) ?? '0'),
    ];
    const line = `${cells.join(',')}\r\n`;
    lines.push(line);
    await slices.add(line.length);
  }
  const head = [...counts, ...(isUsage ? volumes : []), ...costs.map(cell)];
  const body = [`${head.join(',')}\r\n`, ...lines].join('');
  return { status: 200, body, headers: { 'content-type': 'text/csv; charset=utf-8' } };
}

const costColumn = ({
  currency,
  traffic_type,
}: {
  readonly currency: string;
  readonly traffic_type: string;
}) => ['cost', currency, traffic_type].filter((part) => part !== '').join('_');

/** The names of a column come from records: a spreadsheet must not run them. */
function cell(text: string): string {
  const safe = beginsFormula(text.charCodeAt(0)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
