/**
 * Bounds the bytes of record bodies that a node holds at once, from the first byte that is read until the answer. What
 * does not fit is turned away at once, so that memory stays bounded and the producer, not the node, holds the backlog.
 */
export class Admission {
  readonly #most: number;
  #held = 0;

  /** @param most bytes; one request alone is let in whatever its size */
  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Lets `bytes` in, or not: then undefined. The caller releases the ticket. */
  take(bytes: number): Ticket | undefined {
    const ticket = this.open();
    return ticket.resize(bytes) ? ticket : undefined;
  }

  /** A ticket for nothing, which grows with what arrives. The caller releases it. */
  open(): Ticket {
    return new Ticket((change, mine) => {
      if (change > 0 && this.#held > mine && this.#held + change > this.#most) return false;
      this.#held += change;
      return true;
    });
  }
}

export class Ticket {
  #bytes = 0;
  readonly #change: (change: number, mine: number) => boolean;

  /** @param change adds to what is held by all, of which `mine` is this ticket's */
  constructor(change: (change: number, mine: number) => boolean) {
    this.#change = change;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Makes the ticket one for `bytes`; false if there is no room, and then it stays as it was. */
  resize(bytes: number): boolean {
    if (!this.#change(bytes - this.#bytes, this.#bytes)) return false;
    this.#bytes = bytes;
    return true;
  }

  release(): void {
    this.resize(0);
  }
}
