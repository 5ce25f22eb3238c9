import type { Permit } from '../lib/permit.ts';
import type { Contact } from './contact.ts';
import type { LossReason } from './nodes.ts';
import type { Stuck } from './stuck.ts';

/**
 * A partition that runs on this node.
 *
 * Its run may send while the lease is granted and confirmed in this term; or while it was confirmed in the term
 * before and the whole storage is down (C4). Waiting listeners are woken when sending may be allowed again.
 */
export class HeldLease {
  readonly partition: number;
  readonly epoch: number;
  readonly stop = new AbortController();
  revision: number;
  /** The term in which this node last saw that the document is its own (C3). */
  sureIn: number;
  /** The reason why it must end, and since when (monotonic). */
  ending: { readonly reason: LossReason; readonly since: number } | undefined;
  /** Once its run is overdue. */
  stuck: Stuck | undefined;
  readonly #contact: Contact;
  readonly #waiting = new Set<() => void>();
  /** A listener was refused the permit, and waits for it. */
  #refused = false;

  constructor(
    lease: { partition: number; epoch: number; revision: number; sureIn: number },
    contact: Contact,
  ) {
    this.partition = lease.partition;
    this.epoch = lease.epoch;
    this.revision = lease.revision;
    this.sureIn = lease.sureIn;
    this.#contact = contact;
  }

  permit(): Permit {
    return {
      granted: () => {
        const granted = this.#isPermitted();
        if (!granted) this.#refused = true;
        return granted;
      },
      onGranted: (listener) => {
        this.#waiting.add(listener);
        return () => this.#waiting.delete(listener);
      },
    };
  }

  /** Wakes the listeners of a refused permit, if it is granted now. */
  wakePermitted(): void {
    if (!this.#refused || !this.#isPermitted()) return;
    this.#refused = false;
    for (const listener of [...this.#waiting]) listener();
  }

  /** Asks the run to end; only the first reason counts. `since` is monotonic. */
  end(reason: LossReason, since: number): void {
    if (this.ending) return;
    this.ending = { reason, since };
    this.stop.abort(new Error(`the lease of partition ${this.partition} has ended: ${reason}`));
  }

  #isPermitted(): boolean {
    const standing = this.#contact.look();
    if (standing === 'granted') return this.sureIn === this.#contact.term;
    return standing === 'alone' && this.sureIn === this.#contact.term - 1;
  }
}
