/**
 * Bounds the bytes of record bodies that a node holds at once, from the first byte that is read until the answer. A body
 * that does not fit is refused at once: memory stays bounded, and the producer holds the backlog in place of the node.
 */
export class Admission {
  readonly #most: number;
  #held = 0;

  /** @param most bytes; a single request is admitted whatever its size */
  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Admits `bytes`; undefined if there is no room. The caller releases the ticket. */
  take(bytes: number): Ticket | undefined {
    const ticket = this.open();
    return ticket.resize(bytes) ? ticket : undefined;
  }

  /** A ticket for 0 bytes that grows with the bytes that arrive. The caller releases it. */
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

  /** @param change added to the bytes of all tickets; `mine` is this ticket's part */
  constructor(change: (change: number, mine: number) => boolean) {
    this.#change = change;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Changes the ticket to `bytes`; false if there is no room, and then the ticket does not change. */
  resize(bytes: number): boolean {
    if (!this.#change(bytes - this.#bytes, this.#bytes)) return false;
    this.#bytes = bytes;
    return true;
  }

  release(): void {
    this.resize(0);
  }
}
