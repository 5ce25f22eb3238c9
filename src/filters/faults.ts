import type { ErrorToken, FieldFault } from '../errors.ts';
import type { Json } from '../registry/registry.ts';

/** A part of a filter that was read: its form in the request, and its meaning. */
export interface Read<Meaning> {
  readonly sent: Json;
  readonly meaning: Meaning;
}

/** As many faults as one answer lists. */
const MOST_FAULTS = 20;

/** Collects the faults of filters. */
export class Faults {
  readonly found: FieldFault[] = [];

  add(token: ErrorToken, path: string, message: string): undefined {
    if (this.found.length < MOST_FAULTS) this.found.push({ token, path, message });
    return undefined;
  }

  /** The result of `read` for each item; stops early when no more faults fit. */
  list<T>(
    items: readonly unknown[],
    path: string,
    read: (item: unknown, path: string) => T | undefined,
  ): T[] {
    const result: T[] = [];
    for (const [index, item] of items.entries()) {
      if (this.found.length >= MOST_FAULTS) break;
      const one = read(item, `${path}/${index}`);
      if (one !== undefined) result.push(one);
    }
    return result;
  }
}
