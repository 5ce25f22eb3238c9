import type { Clock } from '../../lib/clock.ts';
import { Slices } from '../../lib/slices.ts';
import { recordsOf } from '../batch.ts';
import type { Batch } from '../contract.ts';
import { holdMeasurements } from './datadog-series.ts';
import { HELD_MS, type HeldSums, MOST_RECORDS_READ } from './held-sums.ts';
import { type Measurement, readUsage, type SeriesOptions } from './measurement.ts';

/** The records that the stream gave to Datadog before this destination was opened, by this process or another one. */
interface History {
  /**
   * Reads it once, before the first request.
   * @throws if the record log cannot be read; the next call tries again
   */
  read(batch: Batch, signal: AbortSignal): Promise<void>;
}

/**
 *     unread ──first request──▶ reading ──▶ read         H4 of held-sums.ts
 *        ▲                         │
 *        └──── fault, or abort ────┘
 *
 * Requests of other lanes wait for the one that reads. A record that is read here and delivered again later counts once (H1).
 */
export function createHistory(options: SeriesOptions, held: HeldSums, clock: Pick<Clock, 'now'>): History {
  let reading: Promise<void> | undefined;
  return {
    read: ({ earlier, firstArrivedAt }, signal) => {
      if (!earlier) return Promise.resolve();
      reading ??= hold(earlier(firstArrivedAt - HELD_MS), signal).catch((error: unknown) => {
        reading = undefined;
        throw error;
      });
      return reading;
    },
  };

  async function hold(
    segments: ReturnType<NonNullable<Batch['earlier']>>,
    signal: AbortSignal,
  ): Promise<void> {
    // The newest come first, and the oldest are held first: they are dropped first if there are too many.
    const found: { readonly measurements: readonly Measurement[]; readonly arrivedAt: number }[] = [];
    let records = 0;
    const slices = new Slices();
    for await (const segment of segments) {
      signal.throwIfAborted();
      const measurements: Measurement[] = [];
      for (const record of recordsOf([segment])) {
        const measured = readUsage(record, options, clock.now());
        if (measured.type === 'measured') measurements.push(measured.measurement);
      }
      records += measurements.length;
      const { block, from, to } = segment;
      await slices.add((block.ends[to - 1] as number) - (block.starts[from] as number));
      found.push({ measurements, arrivedAt: segment.block.arrivedAt });
      if (records >= MOST_RECORDS_READ) break;
    }
    const now = clock.now();
    for (const { measurements, arrivedAt } of found.reverse()) {
      holdMeasurements(measurements, held, { now, arrivedAt });
    }
  }
}
