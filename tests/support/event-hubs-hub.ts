import { createHmac } from 'node:crypto';

/** An event as the hub keeps it. */
interface StoredEvent {
  readonly partition: number;
  readonly partitionKey?: string | undefined;
  readonly contentType?: string | undefined;
  /** As text; of an event whose body is not text, its bytes read as UTF-8. */
  readonly body: string;
}

/** A shared access policy. */
export interface Policy {
  readonly name: string;
  /** Two keys, as in Azure, so that one can be regenerated while the other is in use. */
  keys: string[];
  readonly rights: readonly ('Send' | 'Listen')[];
}

export type TokenFault = 'malformed' | 'expired' | 'unknown' | 'rights';

/** What the doubles of both protocols share: policies, the check of tokens, and the events with their partitions. */
export class TestHub {
  readonly name: string;
  readonly partitions = 4;
  readonly policies: Policy[];
  readonly events: StoredEvent[] = [];
  /** ms since the epoch: what tokens are judged by. */
  now: () => number;
  #next = 0;
  #waiting: (() => void)[] = [];

  constructor(name: string, policies: readonly Policy[], now: () => number) {
    this.name = name;
    this.policies = [...policies];
    this.now = now;
  }

  /** Stores events that came together; all of them go to one partition, by the key of the first, as in Event Hubs. */
  store(
    events: readonly { body: string; contentType?: string | undefined }[],
    key: string | undefined,
    partition?: number,
  ): void {
    const chosen = partition ?? (key === undefined ? this.#next++ % this.partitions : this.partitionOf(key));
    for (const { body, contentType } of events) {
      this.events.push({ partition: chosen, partitionKey: key, contentType, body });
    }
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
  }

  /** Resolves at the next time that something is stored. */
  stored(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  partitionOf(key: string): number {
    let hash = 7;
    for (const byte of Buffer.from(key)) hash = (Math.imul(hash, 31) + byte) >>> 0;
    return hash % this.partitions;
  }

  /** What is wrong with a shared access signature for a resource of this hub; undefined: nothing. */
  tokenFault(token: string, resource: string, right: 'Send' | 'Listen'): TokenFault | undefined {
    const match = /^SharedAccessSignature sr=([^&]+)&sig=([^&]+)&se=(\d+)&skn=([^&]+)$/.exec(token);
    if (!match) return 'malformed';
    const [, sr = '', sig = '', se = '', skn = ''] = match;
    const policy = this.policies.find(({ name }) => name === decodeURIComponent(skn));
    const signed = (key: string) => createHmac('sha256', key).update(`${sr}\n${se}`).digest('base64');
    if (!policy?.keys.some((key) => signed(key) === decodeURIComponent(sig))) return 'unknown';
    if (Number(se) * 1000 <= this.now()) return 'expired';
    // A token is good for its resource and what is below it, whatever the scheme.
    const path = (uri: string) =>
      `${uri
        .toLowerCase()
        .replace(/^[a-z]+:\/\//, '')
        .replace(/\/$/, '')}/`;
    if (!path(resource).startsWith(path(decodeURIComponent(sr)))) return 'unknown';
    return policy.rights.includes(right) ? undefined : 'rights';
  }
}
