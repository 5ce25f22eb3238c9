import type { Clock } from '../../lib/clock.ts';
import type { StoredBlock } from '../../log/log.ts';
import type { Effect, Event, ReadBlock } from './events.ts';
import { HourCounts } from './hours.ts';
import { lengthOf } from './ranges.ts';
import type { Selector } from './selecting.ts';
import type { StreamContext } from './stream-context.ts';
import { NOTHING, unfatedOf } from './unfated.ts';

/** The record log as one stream sees it. */
export interface LogView {
  readonly context: StreamContext;
  readonly selector: Selector;
  feed(event: Event): void;
}

/** Stored bytes and blocks of one read while behind: large enough to amortise it, small enough to stay bounded. */
const READ = { blocks: 16, bytes: 2 ** 20 };
/** Between two tries to count the waiting records, while the log does not answer, ms. */
const COUNT_PAUSE_MS = 1_000;

/** A read that took longer waited for its disk. */
const MOST_REST_MS = 20;

/** Executes the effect `read`. */
export async function readBlocks(
  view: LogView,
  { ticket, from }: Extract<Effect, { type: 'read' }>,
): Promise<void> {
  const { log, partition } = view.context;
  let stored: readonly StoredBlock[];
  try {
    stored = await log.read(partition, from, READ);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    view.feed({ type: 'not_read', ticket, message });
    return;
  }
  await prepareAll(view, stored);
  const blocks = stored.map((one): ReadBlock => {
    const { sequence, block } = one;
    const selection = block && view.selector.select(block, sequence);
    return { sequence, block, selection, fault: 'fault' in one ? one.fault : undefined };
  });
  view.feed({ type: 'read', ticket, blocks });
}

/** Executes the effect `count`. */
export async function countBlocks(
  view: LogView,
  { ticket, from, before, except }: Extract<Effect, { type: 'count' }>,
  stop: AbortSignal,
): Promise<void> {
  const { log, partition, clock } = view.context;
  const counts = new HourCounts();
  let oldest: number | null = null;
  let unreadableTo = 0;
  let next = from;
  while (next < before && !stop.aborted) {
    const began = clock.monotonic();
    let stored: readonly StoredBlock[];
    try {
      stored = await log.read(partition, next, READ);
    } catch {
      await clock.sleep(COUNT_PAUSE_MS, stop).catch(() => undefined);
      continue;
    }
    if (stored.length === 0) break;
    await prepareAll(view, stored);
    for (const { sequence, block } of stored) {
      next = sequence + 1;
      if (sequence >= before) break;
      if (!block) unreadableTo = next;
      if (!block) continue;
      const selection = view.selector.select(block, sequence);
      if (!selection) continue;
      const { passing, skipped } = unfatedOf(selection, block.count, except.get(sequence) ?? NOTHING);
      const count = lengthOf(passing);
      counts.add(block.arrivedAt, count, count + lengthOf(skipped));
      if (count > 0) oldest ??= block.arrivedAt;
    }
    await rest(clock, clock.monotonic() - began, stop);
  }
  if (!stop.aborted) view.feed({ type: 'counted', ticket, counted: { counts, oldest, unreadableTo } });
}

/** A count of a large backlog takes half of the time at most: records of the streams that keep up are more urgent. */
async function rest(clock: Clock, took: number, stop: AbortSignal): Promise<void> {
  if (took > 0) await clock.sleep(Math.min(took, MOST_REST_MS), stop).catch(() => undefined);
}

/** Yields to the event loop if judging takes long. */
async function prepareAll({ selector }: LogView, stored: readonly StoredBlock[]): Promise<void> {
  for (const { block } of stored) {
    const preparing = block && selector.prepare(block);
    if (preparing) await preparing;
  }
}
