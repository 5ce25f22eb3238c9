import { payer } from './call-cost.ts';

/**
 * Bytes of documents or answers that are read or written before the event loop does something else: about one
 * millisecond. Each slice costs a turn of the loop; greater ones delay every other request.
 */
export const SLICE_BYTES = 128 * 1024;

/**
 * Work that belongs to no organisation's call: records that a producer sends in another form, and a node's own
 * upkeep.
 */
const NOBODY = 0;
/** Calls without a token. They share one lane, from however many addresses they come. */
export const ANONYMOUS = -1;

/** The waiting slices, by the organisation of their call; the organisation whose turn is next comes first. */
const waiting = new Map<number, (() => void)[]>();

/**
 * Waits until long work may go on. In a turn of the event loop one slice is done, and organisations take turns: however many
 * calls one of them makes, the next slice of another one comes after one of its own.
 */
export async function nextSlice(owner = payer() ?? NOBODY): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.size === 0) setImmediate(resume);
    const own = waiting.get(owner);
    if (own) own.push(resolve);
    else waiting.set(owner, [resolve]);
  });
}

function resume(): void {
  const [first] = waiting;
  if (!first) return;
  const [owner, slices] = first;
  waiting.delete(owner);
  const next = slices.shift();
  if (slices.length > 0) waiting.set(owner, slices);
  if (waiting.size > 0) setImmediate(resume);
  next?.();
}

/** The organisations of which a call has begun in this turn of the event loop. */
const begun = new Set<number>();

/**
 * Await this at the beginning of a call. The event loop reads calls that arrive together in one turn, and twenty of
 * two milliseconds each would delay everything else by forty. So one call of an organisation begins in a turn, at
 * once if it is the only one; the others wait for slices as long work does.
 * @param owner the organisation; undefined: the call waits for nothing
 */
export async function ownTurn(owner: number | undefined): Promise<void> {
  if (owner === undefined) return;
  if (begun.has(owner)) return nextSlice(owner);
  begun.add(owner);
  if (begun.size === 1) setImmediate(() => begun.clear());
}

/** Long work in slices: it yields its turn whenever a slice is full. */
export class Slices {
  #bytes = 0;

  /** Counts work that was done. Waits for the next slice when this one is full. */
  async add(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < SLICE_BYTES) return;
    this.#bytes = 0;
    await nextSlice();
  }
}
