import type { Random } from '../../lib/clock.ts';
import type { RecordKind } from '../../records/block.ts';
import { createFleet, type Owner } from './fleet.ts';

interface SampleOptions {
  readonly kind: RecordKind;
  readonly records: number;
  readonly organisation: Owner;
  readonly random: Random;
  /** Milliseconds since the epoch: the records are of the day before. */
  readonly now: number;
}

const DAY = 86_400_000;
/** So long a piece of the day is lived at once: a few thousand records in memory. */
const STEP = 600_000;
/** A device has more records than this in a day; half of the devices send no messages. */
const RECORDS_OF_A_DEVICE: Readonly<Record<RecordKind, number>> = { usage: 10, event: 10, sms: 2 };
const FEWEST_DEVICES = 50;
/** A fleet is warmed up for so long, that sessions are under way when the first record is taken. */
const WARM_UP = 2 * 3_600_000;

/** So many records of a simulated fleet, each as its JSON text, in the order in which they came into being. */
export function* simulateRecords(options: SampleOptions): Generator<string> {
  const { kind, records, organisation, random, now } = options;
  const startAt = now - DAY;
  const devices = Math.max(FEWEST_DEVICES, Math.ceil(records / RECORDS_OF_A_DEVICE[kind]));
  const fleet = createFleet({ devices, organisations: [organisation], random, startAt, warmUp: WARM_UP });
  let left = records;
  while (left > 0) {
    const { usage, events, sms } = fleet.next(fleet.now + STEP);
    for (const text of { usage, event: events, sms }[kind]) {
      yield text;
      left--;
      if (left === 0) return;
    }
  }
}
