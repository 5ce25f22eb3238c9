import { gunzipSync } from 'node:zlib';
import { TEMPLATES, type UsageRecords } from '../tests/support/usage-records.ts';
import type { Expected, Received, Reconciled } from './reconciliation.ts';

/**
 * Accounts for usage records that arrive as metrics, which have no id. Of several values of a point the last one counts, and it is the
 * sum of all records of the point, those of earlier loads included. For each endpoint and second, the sums of volume and cost must
 * grow by exactly those of the records sent. With few records per endpoint and second, a lost or duplicated record shows.
 * @param points the value of each point, in units of its last decimal: of earlier loads, and afterwards of this one as well
 */
export function reconcileSeries(
  received: readonly Received[],
  records: UsageRecords,
  { first, records: count }: Expected,
  points: Map<string, number>,
): Reconciled {
  const expected = new Sums();
  for (const [index, template] of parsed(records).entries()) {
    const times =
      Math.floor((count - 1 - ((index - (first % TEMPLATES) + TEMPLATES) % TEMPLATES)) / TEMPLATES) + 1;
    for (const { key, units } of template) expected.add(key, units, times);
  }
  const found = new Sums();
  let bytes = 0;
  let damaged = 0;
  for (const { body } of received) {
    bytes += body.length;
    const { series } = JSON.parse(gunzipSync(body).toString()) as { series: Series[] };
    for (const { metric, tags, points: values } of series) {
      const endpoint = tags.find((tag) => tag.startsWith('endpoint:'))?.slice('endpoint:'.length);
      const scale = SCALES[metric];
      if (scale === undefined) damaged++;
      for (const { timestamp, value } of values) {
        const point = `${metric} ${tags} ${timestamp}`;
        const units = Math.round(value * (scale ?? 0));
        found.add(`${metric} ${endpoint} ${timestamp}`, units - (points.get(point) ?? 0), 1);
        points.set(point, units);
      }
    }
  }
  const { below, above, unknown } = found.beside(expected);
  return {
    distinct: count - below,
    lost: below,
    duplicated: above,
    reordered: 0,
    damaged: damaged + unknown,
    requests: received.length,
    bytes,
  };
}

interface Series {
  readonly metric: string;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

/** Units of a value's last decimal, so that sums are of integers and exact. */
const SCALES: Readonly<Record<string, number>> = {
  'endpoint.volume': 1e6,
  'endpoint.volume_tx': 1e6,
  'endpoint.volume_rx': 1e6,
  'endpoint.cost': 1e10,
};

interface Usage {
  readonly end_timestamp: string;
  readonly endpoint: { readonly id: number };
  readonly volume: { readonly total: number; readonly tx: number; readonly rx: number };
  readonly cost: number;
}

/** The values of each template, by metric. */
function parsed(records: UsageRecords) {
  const templates = JSON.parse(records.batch(0, TEMPLATES).toString()) as Usage[];
  return templates.map(({ end_timestamp, endpoint, volume, cost }) => {
    const values = [volume.total, volume.tx, volume.rx, cost];
    const second = Math.floor(Date.parse(end_timestamp) / 1_000);
    return Object.entries(SCALES).map(([metric, scale], index) => ({
      key: `${metric} ${endpoint.id} ${second}`,
      units: Math.round((values[index] as number) * scale),
    }));
  });
}

/** Sums by metric, endpoint and second, with the number of records in each sum, which a difference is compared with. */
class Sums {
  readonly #sums = new Map<string, { units: number; times: number }>();

  add(key: string, units: number, times: number): void {
    const sum = this.#sums.get(key);
    if (sum) {
      sum.units += units * times;
      sum.times += times;
    } else if (times > 0) {
      this.#sums.set(key, { units: units * times, times });
    }
  }

  /** About how many records are missing and how many too many, by the metric that shows most; and unexpected sums. */
  beside(expected: Sums): { below: number; above: number; unknown: number } {
    const below = new Map<string, number>();
    const above = new Map<string, number>();
    for (const [key, { units, times }] of expected.#sums) {
      const missing = units - (this.#sums.get(key)?.units ?? 0);
      if (missing === 0) continue;
      const metric = key.slice(0, key.indexOf(' '));
      const side = missing > 0 ? below : above;
      const about = Math.max(1, Math.round((Math.abs(missing) * times) / units));
      side.set(metric, (side.get(metric) ?? 0) + about);
    }
    const unknown = [...this.#sums.keys()].filter((key) => !expected.#sums.has(key)).length;
    return { below: Math.max(0, ...below.values()), above: Math.max(0, ...above.values()), unknown };
  }
}
