import type { Exchange } from '../../destinations/contract.ts';

/**
 * Requests and answers of the last attempts, for people to look at: in memory alone, because they are many and soon old.
 *
 *  E1  Of a stream at most PER_STREAM, of all streams at most MOST_CHARACTERS: the oldest go first.
 */
export class KeptExchanges {
  /** In the order of their age. */
  readonly #kept = new Map<
    string,
    { readonly stream: string; readonly exchange: Exchange; readonly size: number }
  >();
  readonly #ofStream = new Map<string, string[]>();
  readonly #most: number;
  #characters = 0;

  constructor(most = MOST_CHARACTERS) {
    this.#most = most;
  }

  /** @param attempt no two attempts of a node have the same */
  keep(stream: string, attempt: string, exchange: Exchange): void {
    const size = sizeOf(exchange);
    const ids = this.#ofStream.get(stream) ?? [];
    ids.push(attempt);
    this.#ofStream.set(stream, ids);
    this.#kept.set(attempt, { stream, exchange, size });
    this.#characters += size;
    if (ids.length > PER_STREAM) this.#drop(ids[0] as string);
    for (const [oldest] of this.#kept) {
      if (this.#characters <= this.#most) return;
      this.#drop(oldest);
    }
  }

  has(attempt: string): boolean {
    return this.#kept.has(attempt);
  }

  get(stream: string, attempt: string): Exchange | undefined {
    const kept = this.#kept.get(attempt);
    return kept?.stream === stream ? kept.exchange : undefined;
  }

  forget(stream: string): void {
    for (const attempt of [...(this.#ofStream.get(stream) ?? [])]) this.#drop(attempt);
  }

  #drop(attempt: string): void {
    const kept = this.#kept.get(attempt);
    if (!kept) return;
    this.#kept.delete(attempt);
    this.#characters -= kept.size;
    const left = (this.#ofStream.get(kept.stream) ?? []).filter((one) => one !== attempt);
    if (left.length > 0) this.#ofStream.set(kept.stream, left);
    else this.#ofStream.delete(kept.stream);
  }
}

/** As many as a person reads for one stream. */
export const PER_STREAM = 10;
/** About 16 MB: the requests of two thousand attempts. */
const MOST_CHARACTERS = 8 * 2 ** 20;

function sizeOf({ url, headers, body, answer }: Exchange): number {
  const ofHeaders = [...headers, ...(answer?.headers ?? [])].reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    0,
  );
  return url.length + ofHeaders + body.text.length + (answer?.body.text.length ?? 0);
}
