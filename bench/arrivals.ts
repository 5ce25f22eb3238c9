import { gunzipSync } from 'node:zlib';
import { FIRST_ID, numberAt, type UsageRecords } from '../tests/support/usage-records.ts';
import { type Expected, type Received, type Reconciled, Reconciliation } from './reconciliation.ts';
import { reconcileSeries } from './series-arrivals.ts';
import { COLLECTION, type StandInName } from './stand-ins.ts';

/**
 * Accounts for every record that a connector delivered, from the bodies of its requests. It does so after the load: a
 * stand-in shares the machine with the node.
 * @param expected `lanes` other than 0: order is checked as far as the connector promises it
 * @param points of Datadog's metrics, over all loads of a stream: see reconcileSeries
 */
export function reconcileArrivals(
  name: StandInName,
  received: readonly Received[],
  records: UsageRecords,
  expected: Expected,
  points = new Map<string, number>(),
): Reconciled {
  if (name === 'Datadog usage') return reconcileSeries(received, records, expected, points);
  const perKey = name === 'AwsKinesis' ? new KeyOrder(expected) : undefined;
  const reconciliation = new Reconciliation(records, perKey ? { ...expected, lanes: 0 } : expected);
  for (const { body, at } of received) {
    reconciliation.delivery(body.length);
    for (const arrival of DECODERS[name](body)) {
      if (typeof arrival === 'number') {
        reconciliation.record(arrival, at);
        continue;
      }
      const before = reconciliation.distinct;
      reconciliation.records(arrival.record, at);
      // A record that arrived before may arrive again at any time.
      if (reconciliation.distinct === before) continue;
      if (arrival.key !== undefined) perKey?.take(numberAt(arrival.record, 0), arrival.key);
    }
  }
  const result = reconciliation.result();
  return { ...result, reordered: result.reordered + (perKey?.reordered ?? 0) };
}

/** Records of one key that came in on one connection must arrive in their order. */
class KeyOrder {
  readonly #expected: Expected;
  readonly #last = new Map<string, number>();
  reordered = 0;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  take(n: number, key: string): void {
    const { first, batch, lanes } = this.#expected;
    if (lanes === 0) return;
    const place = `${Math.floor((n - first) / batch) % lanes} ${key}`;
    if (n < (this.#last.get(place) ?? -1)) this.reordered++;
    else this.#last.set(place, n);
  }
}

/** A record as it came in (or several, as an array), with its key; or its number, where the connector does not send its bytes. */
type Arrival = { readonly record: Buffer; readonly key?: string } | number;
type Decoder = (body: Buffer) => Iterable<Arrival>;

const DECODERS: Readonly<Record<Exclude<StandInName, 'Datadog usage'>, Decoder>> = {
  RestAPI: (body) => [{ record: body }],
  AwsKinesis: function* (body) {
    const { Records } = JSON.parse(body.toString()) as { Records: { Data: string; PartitionKey: string }[] };
    for (const { Data, PartitionKey } of Records) {
      yield { record: Buffer.from(Data, 'base64'), key: PartitionKey };
    }
  },
  'S3 Csv': (body) => linesOf(body).slice(1).map(numberOfRow),
  'S3 Json': (body) => linesOf(body).map((line) => ({ record: Buffer.from(line) })),
  EventHubs: (body) => {
    const events = JSON.parse(body.toString()) as { Body: string }[];
    return events.map(({ Body }) => ({ record: Buffer.from(Body) }));
  },
  PubSub: (body) => {
    const { messages } = JSON.parse(body.toString()) as { messages: { data: string }[] };
    return messages.map(({ data }) => ({ record: Buffer.from(data, 'base64') }));
  },
  'Datadog events': function* (body) {
    const [, ...entries] = gunzipSync(body).toString().split('{"ddsource":');
    for (const [index, entry] of entries.entries()) {
      // After the record come the entry's brace and a comma, or the array's bracket.
      const record = entry.slice(entry.indexOf(LOGGED) + LOGGED.length, -2);
      const whole = entry.includes(LOGGED) && entry.endsWith(index < entries.length - 1 ? '},' : '}]');
      yield whole ? { record: Buffer.from(record) } : -1;
    }
  },
  KeenIO: function* (body) {
    const text = body.toString();
    const open = `{"${COLLECTION}":[`;
    if (!text.startsWith(open) || !text.endsWith(']}')) return yield -1;
    const [nothing, ...rest] = text.slice(open.length, -2).split(KEEN);
    if (nothing !== '') yield -1;
    for (const fields of rest) yield { record: Buffer.from(`{${fields}`) };
  },
};

const LOGGED = ',"event":';
const KEEN = /,?\{"keen":\{"timestamp":"[^"]+"\},/;

function linesOf(body: Buffer): string[] {
  return body.toString().trimEnd().split('\n');
}

function numberOfRow(row: string): number {
  const id = /^"(\d{15})",/.exec(row)?.[1];
  return id === undefined ? -1 : Number(id) - FIRST_ID;
}
